# frozen_string_literal: true

require_relative 'helper'
require_relative 'images'
require 'multitenant/card/image_size'

# A browser has as many bytes as an image has pixels, times four, however few the file has.
class TestImageSize < MultiTenantTest
  HUGE = 12_000

  def pixels(bytes)
    MultiTenant::Card::ImageSize.pixels(bytes)
  end

  def test_every_kind
    Images.all.each { |kind, bytes| assert_equal 35, pixels(bytes), kind }
    Images.all(HUGE, HUGE).each { |kind, bytes| assert_equal HUGE * HUGE, pixels(bytes), kind }
    assert_equal 16_777_216 * 5, pixels(Images.extended(1 << 24, 5))
    assert_equal 16_384 * 16_384, pixels(Images.lossless(1 << 14, 1 << 14))
    assert_equal 35, pixels(Images.lossy(7 | 0xC000, 5 | 0x4000)), 'the upper two bits say how to scale it'
  end

  # Frames, the only one or not, may be larger than the screen; what stands before them is walked over.
  def test_gif
    assert_equal 30 * 5, pixels(Images.gif(7, 5, frame: [10, 2, 20, 0]))
    assert_equal 7 * 900, pixels(Images.gif(7, 5, frame: [1, 1, 0, 899]))
    hidden = ",#{[0, 0, 1, 1].pack('v4')}\0".b
    assert_equal 35, pixels(Images.gif(before: "!\xFE\x0A#{hidden}\0"))
    assert_nil pixels(Images.gif(before: "!\xF9\0"))
    assert_nil pixels(Images.gif(before: "\0"))
    assert_nil pixels(Images.gif(before: ';'))
  end

  # What looks like a frame within a segment is none; what is no marker between two is skipped, as libjpeg does.
  def test_jpeg
    frame = "\xFF\xC0\0\x11\b\0\1\0\1".b
    jpeg = Images.jpeg
    first = ->(bytes) { jpeg[0, 2] + bytes.b + jpeg[2..] }
    assert_equal 35, pixels(first.call("\xFF\xE1".b + [frame.size + 2].pack('n') + frame))
    assert_equal 35, pixels(first.call("\xFF\xFF\xFF\xD0\xFF\0\xFF\1ab\xFF\xFF"))
    frames = (0xC0..0xCF).select { |marker| pixels(jpeg.sub("\xFF\xC0".b, "\xFF".b + marker.chr)) == 35 }
    assert_equal [*0xC0..0xCF] - [0xC4, 0xC8, 0xCC], frames
    ["\xFF\xD8", "\xFF\xD9", "\xFF\xDA\0\2", "\xFF\xE0\0\0", "\xFF\xE0\0\1", "\xFF\xE0\xFF\xFF",
     "\xFF\2\0\2"].each do |bytes|
      assert_nil pixels(first.call(bytes)), bytes.inspect
    end
  end

  def test_others_are_none
    ['', 'x', "GIF88a#{"\1" * 50}", "BM#{"\1" * 50}", "\0\0\1\0#{"\1" * 50}", "\0\0\0\x1Cftypavif#{"\1" * 50}",
     "\xFF\x0A#{"\1" * 50}", "II*\0#{"\1" * 50}", '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
     Images.png.sub('IHDR', 'CgBI'), Images.png.sub("\0\0\0\rIHDR", "\0\0\0\x0EIHDR"), " #{Images.png}".b,
     Images.lossless.sub('VP8L', 'VP8Z'), Images.webp(['ALPH', "\1" * 30]), Images.png(0, 5),
     Images.gif(0, 0, frame: [0] * 4), Images.jpeg(7, 0)].each { |bytes| assert_nil pixels(bytes), bytes.inspect }
  end

  # Whatever is cut or changed: a size or none, at once.
  def test_hostile_bytes
    random = Random.new(1)
    Images.all.each do |kind, bytes|
      size = (0..bytes.size).find { |n| pixels(bytes[0, n]) }
      assert_equal [35], (size..bytes.size).map { |n| pixels(bytes[0, n]) }.uniq, kind
      1000.times do
        changed = bytes.dup
        3.times { changed.setbyte(random.rand(bytes.size), random.rand(256)) }
        assert_kind_of Integer, pixels(changed) || 0
      end
    end
  end

  def test_long_ones_take_no_time
    start = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
    ["GIF89a#{[1, 1, 0, 0, 0].pack('v2C3')}".b + ("!\xFE\0".b * 80_000),
     "GIF89a#{[1, 1, 0, 0, 0].pack('v2C3')}!\xFE".b + ("\1\1".b * 120_000), "\xFF\xD8".b + ("\xFF".b * 250_000),
     "\xFF\xD8".b + ("\xFF\xD0".b * 125_000), "\xFF\xD8".b + ("\xFF\xFE\0\2".b * 60_000),
     "\xFF\xD8\xFF".b + ("\0".b * 250_000),
     "\xFF\xD8".b + ("\xFF\0".b * 125_000)].each { |bytes| assert_nil pixels(bytes) }
    assert_operator Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - start, :<, 3
  end
end
