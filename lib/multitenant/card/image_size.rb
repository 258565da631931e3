# frozen_string_literal: true

module MultiTenant
  class Card
    # How many pixels a browser makes of an image, read from its first bytes, whatever a MIME type calls it: browsers
    # go by these bytes, too. What their decoders refuse is nothing here, so that both read the same size.
    module ImageSize
      # Extensions of GIF that have one length; Firefox reads as much of them, whatever they say.
      FIXED = { 0xF9 => 4, 0x01 => 12 }.freeze

      # Markers of JPEG: frames; those with nothing after them; others with a length.
      FRAMES = [*0xC0..0xCF] - [0xC4, 0xC8, 0xCC]
      ALONE = [0x01, *0xD0..0xD7].freeze
      SEGMENTS = [0xC4, 0xCC, *0xDB..0xDF, *0xE0..0xEF, 0xFE].freeze

      class << self
        # @param bytes [String] anybody's
        # @return [Integer, nil] nil: it is not PNG, GIF, JPEG or WebP, or ends before its size
        def pixels(bytes)
          width, height = size(bytes.b)
          width * height if height && width.positive? && height.positive?
        end

        private

        def size(bytes)
          case bytes
          when /\A\x89PNG\r\n\x1A\n\0\0\0\rIHDR/n then numbers(bytes, 16, 'N2') # PNG specification, 11.2.1
          when /\AGIF8[79]a/n then gif(bytes)
          when /\A\xFF\xD8\xFF/n then jpeg(bytes)
          when /\ARIFF.{4}WEBPVP8/mn then webp(bytes)
          end
        end

        # @return [Array<Integer>, nil] nil: it ends before
        def numbers(bytes, offset, format)
          found = bytes.byteslice(offset, 16).to_s.unpack(format)
          found unless found.include?(nil)
        end

        # GIF89a, 18 to 20: the screen, its colours, extensions, and the first frame, to which browsers enlarge the
        # screen.
        def gif(bytes)
          width, height, flags = numbers(bytes, 6, 'v2C')
          at = 13 + (flags.to_i[7] * (6 << (flags.to_i & 7)))
          at = after_extension(bytes, at) while at && bytes.getbyte(at) == 0x21
          left, top, wide, high = numbers(bytes, at + 1, 'v4') if at && bytes.getbyte(at) == 0x2C
          [[width, left + wide].max, [height, top + high].max] if high
        end

        def after_extension(bytes, at)
          label, length = numbers(bytes, at + 1, 'C2')
          return unless length == FIXED.fetch(label, length)

          at += 2
          while (length = bytes.getbyte(at).to_i).positive?
            at += length + 1
          end
          at + 1
        end

        # ITU T.81, B.1.1 and B.2.2: segments up to a frame's. Between them libjpeg skips what is no marker.
        def jpeg(bytes)
          at = 2
          while (at = bytes.index(/\xFF[^\0\xFF]/n, at))
            marker = bytes.getbyte(at + 1)
            return numbers(bytes, at + 5, 'n2')&.reverse if FRAMES.include?(marker)

            at += 2
            next if ALONE.include?(marker)

            length, = numbers(bytes, at, 'n')
            return unless SEGMENTS.include?(marker) && length.to_i >= 2

            at += length
          end
        end

        # RFC 9649, 2.5 to 2.7 and 3.4; RFC 6386, 9.1.
        def webp(bytes)
          case bytes.byteslice(12, 4)
          when 'VP8X'
            low, high, *rest = numbers(bytes, 24, 'vCvC')
            [low | (high << 16), rest[0] | (rest[1] << 16)].map { |less| less + 1 } if low
          when 'VP8L'
            mark, both = numbers(bytes, 20, 'CV')
            [both, both >> 14].map { |less| (less & 0x3FFF) + 1 } if mark == 0x2F
          when 'VP8 '
            numbers(bytes, 26, 'v2')&.map { |one| one & 0x3FFF } if bytes.byteslice(23, 3) == "\x9D\x01\x2A".b
          end
        end
      end
    end
  end
end
