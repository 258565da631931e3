# frozen_string_literal: true

module MultiTenant
  # A slurm.conf as Slurm reads it (src/common/parse_config.c): keys in any case, the last one counts, quotes, lines
  # that go on, files that it includes: beside itself, wherever the line stands, and none whose name has a *. Every #
  # begins a comment, but for \#; a NUL ends a line.
  module SlurmConf
    PAIR = /(?<!\S)(\w+)\s*=\s*(?:"([^"]*)"|(\S+))(?!\S)/
    # Where no \ escapes what follows.
    PLAIN = /(?<!\\)(?:\\\\)*\K/
    # How deep files may include each other.
    MOST = 8

    # @param path [String]
    # @return [Hash{String => String}] by key in small letters
    # @raise [SystemCallError] it, or what it includes, can't be read
    def self.read(path, all = {}, depth = 0, dir = File.dirname(path))
      raise Errno::ELOOP, path if depth > MOST

      text = File.binread(path).gsub(/(?:\0|#{PLAIN}#).*/o, '').gsub(/#{PLAIN}\\[^\S\n]*\n/o, '')
      text.gsub(/\\(.)/, '\1').each_line do |line|
        if (file = line[/\A\s*include\s+(\S+)/i, 1])
          file = file.gsub('%c') { all['clustername'].to_s.downcase }
          read(File.absolute_path(file, dir), all, depth + 1, dir) unless file.include?('*')
        else
          line.scan(PAIR) { |key, quoted, plain| all[key.downcase] = quoted || plain }
        end
      end
      all
    end
  end
end
