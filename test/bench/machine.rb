# frozen_string_literal: true

# What figures are of, for the pages that show them.
module Machine
  module_function

  # @return [Hash{String => String}]
  def told
    slurm = `sacct --version`.split[1]
    { 'slurm' => slurm, 'date' => Time.now.strftime('%F %H:%M'),
      'machine' => "#{`nproc`.strip} × #{File.read('/proc/cpuinfo')[/model name\s*: (.*)/, 1]}, #{`uname -sr`.strip}",
      'versions' => "Slurm #{slurm}, MariaDB #{`mariadbd --version`[/Ver (\S+?)-/, 1]}, " \
                    "Ruby #{RUBY_VERSION}, #{`openssl version`.split.first(2).join(' ')}",
      'load' => "#{File.read('/proc/loadavg').split.first(3).join(' ')}#{priority}" }
  end

  # As chrt(1) and nice(1) give it, where the machine has other work.
  def priority
    own = Process.getpriority(Process::PRIO_PROCESS, 0)
    return ', at real-time priority' unless Integer(File.read('/proc/self/stat').split[40]).zero?

    own.zero? ? '' : ", at nice #{own}"
  end
end
