# frozen_string_literal: true

require 'fileutils'
require 'json'
require 'open3'
require 'pathname'
require 'rubygems/package'
require 'shellwords'
require_relative '../errors'
require_relative '../version'

module MultiTenant
  # The Ruby that runs the dashboard, with the gems that it finds: the packages' `enable` file makes
  # its environment (RPM: GEM_HOME and GEM_PATH; DEB: GEM_PATH alone); without one it is plain `ruby`.
  class DashboardRuby
    SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    INITIALIZER = File.expand_path('../../../initializer/multitenant.rb', __dir__)

    ENTER = <<~BASH
      umask 022
      count=$1
      shift
      while ((count-- > 0)); do
        source "$1" >&2
        shift
      done
      exec "$@"
    BASH

    PROBE = <<~RUBY
      require 'json'
      print JSON.generate(abi: RbConfig::CONFIG['ruby_version'], rubygems: Gem::VERSION, dir: Gem.dir, bin: Gem.bindir,
                          path: Gem.path)
    RUBY

    # The first whose `gem pristine` has --install-dir. Those before build where the gem is.
    PRISTINE_DIR = Gem::Version.new('3.2.33')

    # The initializer's own rule finds it.
    FIND = <<~RUBY
      load ARGV[0]
      begin
        print MultiTenant::Loader.find
      rescue LoadError
        libs = Gem.path.flat_map { |dir| Dir.glob(File.join(dir, 'gems/ood_multitenant-*/lib')) }
        all = libs.flat_map { |lib| MultiTenant::Loader.files(lib) }
        warn all.find { |path| !MultiTenant::Loader.secure?(path) }.to_s
        exit 1
      end
    RUBY

    LOAD = <<~RUBY
      begin
        require File.join(ARGV[0], 'multitenant')
      rescue Exception => e
        warn e.class.to_s + ': ' + e.message.lines.first.to_s.strip
        exit 1
      end
    RUBY

    # @param host [Host]
    def initialize(host)
      @host = host
    end

    # @return [String, nil] the directory of the gem that a dashboard loads
    def gem_dir
      find[0]
    end

    # @return [String] the gem's directory
    # @raise [Failure] where the dashboard would load another or none
    def expect(version)
      dir, insecure = find
      return readable(dir) if dir && DashboardRuby.version(dir) == version

      if dir && Gem::Version.new(DashboardRuby.version(dir)) > Gem::Version.new(version)
        fail!("The dashboard would load the newer #{dir}.",
              'Install with its own command, or remove it: ' \
              "#{gem_command('uninstall', 'ood_multitenant', '--version', DashboardRuby.version(dir), dir: dir)}.")
      end
      refuse_missing(version) if insecure.to_s.empty?
      fail!("Users other than root can change #{insecure} or a directory above it, so the dashboard does not load it.",
            "Run `chown root #{insecure}; chmod go-w #{insecure}`, and the same for those directories.")
    end

    # @return [String] the version of a gem's directory
    def self.version(dir)
      File.basename(dir).delete_prefix('ood_multitenant-')
    end

    # Whether the compiled core is one for this Ruby.
    # @raise [Failure]
    def check_core(dir)
      _, err, status = run('ruby', '-e', LOAD, File.join(dir, 'lib'))
      return if status.success?

      built = built_for(dir)
      other = built.any? && !built.include?(abi)
      fail!("The dashboard's Ruby (#{abi}) can't load the core of #{dir}: " \
            "#{other ? "it was built for Ruby #{built.join(', ')}" : err.lines.first.to_s.strip}.",
            "Run #{gem_command('pristine', 'ood_multitenant', dir: dir)}.")
    end

    # @param file [String] of a gem
    # @return [Gem::Specification]
    # @raise [Failure] where it is another gem
    def self.spec(file)
      spec = Gem::Package.new(file).spec
      return spec if spec.name == 'ood_multitenant'

      raise Failure.new(EX_USAGE, "#{file} is the gem #{spec.name}, not ood_multitenant.")
    rescue Gem::Package::Error, SystemCallError
      raise Failure.new(EX_USAGE, "--gem: #{file} is not there, or no gem.")
    end

    # Installs the gem where this Ruby finds it. RubyGems keeps the modes that the files had where the
    # gem was built. The first line of Debian's `gem` may name another interpreter than the `enable` file.
    def install(file, version)
      out, err, status = run('ruby', '-S', *install_command(file))
      dir = File.join(@host.at(probe['dir']), 'gems', "ood_multitenant-#{version}")
      return FileUtils.chmod_R('go-w,a+rX', dir) if status.success?

      said = "#{err}\n#{out}".lines.map(&:strip).reject(&:empty?)
      reason = [/ is missing: install/, /\AERROR/, //].lazy.filter_map { |form| said.grep(form).first }.first
      fail!("#{command(*install_command(file))} failed: #{reason.to_s.delete_suffix('.')}.")
    end

    # @return [String] a line for an admin's shell that runs a command of this Ruby's
    def command(*argv)
      home = ["export GEM_HOME=#{@host.at(probe['dir']).shellescape}"] unless @host.root.empty?
      steps = ['umask 022', *@host.profiles.map { |file| "source #{file.shellescape}" }, *home, argv.shelljoin]
      "`bash -c #{"'#{steps.join('; ').gsub("'", "'\\\\''")}'"}`"
    end

    # @param dir [String, nil] of our gem, where that is known
    # @return [String] such a line that runs a command of RubyGems
    def gem_command(*argv, dir: nil)
      command('gem', *argv, *gem_home(dir, pristine: argv.first == 'pristine'))
    end

    # @return [Hash{String => String}] what it is started with, as far as its profiles say
    def variables
      out, = enter('env', '-0')
      out.split("\0").to_h { |pair| pair.split('=', 2) }
    end

    # @return [Array<String>] what installs a gem's file
    def install_command(file)
      ['gem', 'install', '--local', '--no-document', file, *gem_home]
    end

    # @return [String, nil] path of a command of the gem in this directory, where the gem home has it
    def executable(dir, name)
      path = File.expand_path(File.join(dir, '../../bin', name))
      path.delete_prefix(@host.root) if File.executable?(path)
    end

    # @return [String, nil] how a service starts such a command: the gem home is that of this Ruby's environment
    def service(dir, name, *argv)
      path = executable(dir, name)
      steps = @host.profiles.map { |file| "source #{file.delete_prefix(@host.root)}" }
      "/bin/bash -c '#{[*steps, "exec #{[path, *argv].join(' ')}"].join('; ')}'" if path
    end

    private

    # RubyGems of EL has options of its own for root, which go before GEM_HOME and lead to /usr/local.
    # @return [Array<String>] options that lead a command of RubyGems to the gem home of our gem, or else of this Ruby
    def gem_home(dir = nil, pristine: false)
      own = @host.at(probe['dir'])
      home = dir ? File.expand_path('../..', dir) : own
      bin = home == own && @host.root.empty? ? probe['bin'] : File.join(home, 'bin')
      old = pristine && Gem::Version.new(probe['rubygems']) < PRISTINE_DIR
      [*(['--install-dir', home] unless old), '--bindir', bin]
    rescue Failure
      [] # that Ruby does not run
    end

    # RubyGems makes with root's umask what is not there yet.
    def readable(dir)
      closed = closed_above(dir)
      fix = closed ? "chmod a+rx #{closed}" : "chmod -R a+rX #{dir}"
      closed ||= closed_within(dir) or return dir
      fail!("Not all users can read #{closed}, so their dashboards do not load the gem.", "Run `#{fix}`.")
    end

    # The loader looks through the directory above it, and goes through those above that. Users may all be of its group,
    # or be let in by an ACL, of which its bits for the group are then the mask.
    def closed_above(dir)
      root = @host.root.empty? ? '' : File.realpath(@host.root)
      above = Pathname.new(dir).realpath.ascend.drop(1).take_while { |path| path.to_s.start_with?("#{root}/") }
      above.find do |path|
        stat = path.stat
        wanted = path == above.first ? 5 : 1
        !stat.mode.allbits?(wanted) && !((stat.mode >> 3).allbits?(wanted) && (stat.gid.positive? || acl?(path)))
      end
    end

    def acl?(path)
      out, = enter('ls', '-ld', path.to_s)
      out.match?(/\A\S{10}\+/)
    end

    # As after `gem pristine` of a gem that was built with a umask of 077.
    def closed_within(dir)
      [dir, *Dir.glob(File.join(dir, '{lib,libexec}{,/**/*}'))].find do |path|
        mode = File.stat(path).mode
        ((mode >> 6) & ~mode).anybits?(5) # what the owner may, but for writing
      end
    end

    # @return [Array(String, String)] the gem's directory; or else what of a gem others may have written
    def find
      out, err, status = run('ruby', '-e', FIND, INITIALIZER)
      status.success? ? [File.dirname(out), nil] : [nil, err.lines.last&.strip]
    end

    def refuse_missing(version)
      file = "ood_multitenant-#{version}.gem"
      ours = RbConfig::CONFIG['ruby_version']
      rubies = abi == ours ? abi : "#{abi}, while this one is #{ours}"
      fail!("ood_multitenant #{version} is not where the dashboard's Ruby (#{rubies}) looks (#{path.join(', ')}).",
            "Give its file (`multitenant install --gem #{file}`), or run #{command(*install_command(file))}.")
    end

    def abi
      probe['abi']
    end

    # @return [Array<String>] directories that are searched
    def path
      probe['path'].map { |dir| @host.at(dir) }
    end

    def probe
      @probe ||= begin
        out, err, status = enter('ruby', '-e', PROBE)
        fail!("The dashboard's Ruby does not run: #{err.lines.first.to_s.strip}") unless status.success?

        JSON.parse(out)
      end
    end

    def built_for(dir)
      built = Dir.glob(File.join(dir, '../../extensions/*/*', File.basename(dir)))
      built.map { |found| File.basename(File.dirname(found)) }.uniq.sort
    end

    # With a DESTDIR, the gem's directories are the same below it.
    def run(*argv)
      return enter(*argv) if @host.root.empty?

      enter('env', "GEM_HOME=#{@host.at(probe['dir'])}", "GEM_PATH=#{path.join(':')}", *argv)
    end

    # Nothing of this process's environment is passed on: it may be of another Ruby, and users don't have the
    # gems of an admin's home. Nor does its locale say what was printed.
    # @return [Array(String, String, Process::Status)] texts
    def enter(*argv)
      profiles = @host.profiles
      env = { 'PATH' => profiles.empty? ? ENV.fetch('PATH', SYSTEM_PATH) : SYSTEM_PATH,
              'HOME' => '/nonexistent', 'LANG' => 'C.UTF-8' }
      told = Open3.capture3(env, 'bash', '--noprofile', '--norc', '-c', ENTER, 'multitenant', profiles.size.to_s,
                            *profiles, *argv, stdin_data: '', unsetenv_others: true, chdir: '/')
      [*told.first(2).map { |text| text.force_encoding(Encoding::UTF_8).scrub }, told[2]]
    rescue SystemCallError => e
      fail!("The dashboard's Ruby can't be asked: #{e.message}.")
    end

    def fail!(sentence, fix = nil)
      raise Failure.new(EX_CONFIG, sentence, fix: fix)
    end
  end
end
