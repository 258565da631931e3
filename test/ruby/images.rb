# frozen_string_literal: true

require 'zlib'

# Whole images that browsers show, of 7 × 5 pixels, and the same that say another size.
module Images
  JPEG = '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAFA3PEY8MlBGQUZaVVBfeMiCeG5uePWvuZHI////////////////////////////////' \
         '////////////////////2wBDAVVaWnhpeOuCguv/////////////////////////////////////////////////////////////' \
         '////////////wAARCAAFAAcDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAT/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QA' \
         'FAEBAAAAAAAAAAAAAAAAAAAAAP/EABQRAQAAAAAAAAAAAAAAAAAAAAD/2gAMAwEAAhEDEQA/AIgAf//Z'.unpack1('m').freeze
  LOSSY = ['VP8 ', 'MAEAnQEqBwAFAAdAliWkAANwAP7vuQAA'.unpack1('m')].freeze
  LOSSLESS = ['VP8L', 'LwYAARAPEBHzH0IhgAAoaCL6Hw8A'.unpack1('m')].freeze
  ALPHA = ['ALPH', 'AQ8w/xERQiGAAChoIvofDwA='.unpack1('m')].freeze

  module_function

  # @return [Hash{Symbol => String}] kind => bytes
  def all(width = 7, height = 5)
    { png: png(width, height), gif: gif(width, height), gif_frame: gif(1, 1, frame: [width - 2, height - 1, 2, 1]),
      jpeg: jpeg(width, height), lossy: lossy(width, height), lossless: lossless(width, height),
      extended: extended(width, height) }
  end

  def png(width = 7, height = 5)
    chunks = ["IHDR#{[width, height, 1, 0, 0, 0, 0].pack('N2C5')}".b, 'IDAT'.b + Zlib.deflate("\0\xFF" * 5), 'IEND'.b]
    "\x89PNG\r\n\x1A\n".b + chunks.map { |one| [one.size - 4].pack('N') + one + [Zlib.crc32(one)].pack('N') }.join
  end

  def gif(width = 7, height = 5, frame: [width, height, 0, 0], before: "!\xF9\4\0\0\0\0\0!\xFE\2hi\0")
    wide, high, left, top = frame
    'GIF89a'.b + [width, height, 0x80, 0, 0].pack('v2C3') + "\0\0\0\xFF\xFF\xFF".b + before.b + ','.b +
      [left, top, wide, high, 0].pack('v4C') + "\2\2\x44\1\0;".b
  end

  def jpeg(width = 7, height = 5)
    JPEG.sub("\0\x11\b\0\5\0\a".b) { "\0\x11\b".b + [height, width].pack('n2') }
  end

  def lossy(width = 7, height = 5)
    webp(name_and_bytes(LOSSY, 6, [width, height].pack('v2')))
  end

  def lossless(width = 7, height = 5)
    webp(name_and_bytes(LOSSLESS, 1, [(width - 1) | ((height - 1) << 14)].pack('V')))
  end

  def extended(width = 7, height = 5)
    less = [width - 1, height - 1].flat_map { |one| [one & 0xFFFF, one >> 16] }
    webp(['VP8X', [0x10, *less].pack('VvCvC')], ALPHA, LOSSY)
  end

  def webp(*chunks)
    body = chunks.map { |name, data| name.b + [data.bytesize].pack('V') + data + ("\0" * (data.bytesize % 2)).b }.join
    "RIFF#{[body.bytesize + 4].pack('V')}WEBP".b + body
  end

  def name_and_bytes((name, bytes), offset, part)
    [name, bytes.dup.tap { |copy| copy[offset, part.bytesize] = part }]
  end

  # @return [String] as it stands in a lesson; the type is what a publisher says
  def url(bytes, type: 'png')
    "data:image/#{type};base64,#{[bytes].pack('m0')}"
  end
end
