# frozen_string_literal: true

require 'etc'
require 'fileutils'
require 'pathname'
require_relative 'errors'
require_relative 'host/system_file'
require_relative 'programs/program'
require_relative 'version'

module MultiTenant
  # The programs that compute nodes need, in a directory of their own for a shared file system: nodes have no gem. None
  # of them links Slurm; they are built for one system, which the kit names.
  class NodeKit
    PROGRAMS = %w[multitenant-gate multitenant-munge multitenant-seal].map { |name| File.join(__dir__, name) }.freeze
    SCRIPTS = Dir.glob(File.expand_path('../../libexec/multitenant-*', __dir__)).freeze
    # As a directory says that it is a kit.
    MARK = '.multitenant-node-kit'
    OS = '/etc/os-release'
    # That a program has to say its version.
    SECONDS = 10

    # @return [String] its path
    attr_reader :dir

    # @param dir [String]
    # @param os [String] the file that says what this system is
    def initialize(dir, os: OS)
      @dir = File.expand_path(dir)
      @os = os
    end

    # @return [String] what its programs run on
    # @raise [Failure] that is not known
    def system
      lines = File.read(@os, encoding: 'UTF-8').scrub.lines(chomp: true)
      told = lines.to_h { |line| line.delete('"\'').split('=', 2).values_at(0, 1) }
      raise Errno::ENOENT if told['ID'].to_s.empty?

      [told['ID'], told['VERSION_ID'], Etc.uname[:machine]].compact.join(' ')
    rescue SystemCallError
      raise Failure.new(EX_CONFIG, "#{@os} does not say which system this is, so nobody could tell where the kit runs.",
                        fix: 'Make it on a host of the nodes\' system.')
    end

    # Replaces file by file: a job may have one open.
    # @raise [Failure]
    # @return [void]
    def write
      files = contents
      refuse('holds something else than a kit: name a new directory.') unless new?
      refuse('can be changed by others, or a directory above it can: name one that only you can change.') unless own?
      files.each do |name, (bytes, mode)|
        path = File.join(@dir, name)
        FileUtils.mkdir_p(File.dirname(path), mode: 0o755)
        SystemFile.write(path, bytes, mode: mode)
      end
    rescue SystemCallError => e
      refuse("could not be written: #{e.message.split(' @ ').first}.")
    end

    private

    # @return [Hash{String => Array(String, Integer)}] name => bytes and mode
    def contents
      programs = PROGRAMS.each { |path| check(path) } + SCRIPTS
      module_file = "modulefiles/multitenant-node-kit/#{VERSION}"
      { MARK => ["#{VERSION} #{system}\n", 0o644],
        **programs.to_h { |path| ["bin/#{File.basename(path)}", [File.binread(path), 0o755]] },
        "#{module_file}.lua" => [LUA, 0o644], module_file => [TCL, 0o644], 'README.md' => [readme, 0o644] }
    end

    # What this host can't run, it was not built for.
    def check(path)
      return if runs?(path)

      raise Failure.new(EX_CONFIG, "#{path} is not there, or does not run here, as if built for another system.",
                        fix: "On a host of the nodes' system, with the libraries of munge, OpenSSL and jansson, " \
                             "#{Program::REBUILD}.")
    end

    def runs?(path)
      Program.new(path).call('--version', seconds: SECONDS).success?
    end

    def new?
      Dir.empty?(@dir) || File.exist?(File.join(@dir, MARK))
    rescue Errno::ENOENT
      true
    end

    # What somebody else puts there would run in everybody's jobs.
    def own?
      SystemFile.secure?(Pathname.new(@dir).ascend.find(&:exist?), uids: [0, Process.euid])
    end

    def refuse(why)
      raise Failure.new(EX_CANTCREAT, "#{@dir} #{why}")
    end

    LUA = <<~LUA
      help([[What jobs that share services need on a compute node: README.md beside it.]])
      whatis("MultiTenant: programs for compute nodes")
      local base = myFileName():match("^(.*)/modulefiles/[^/]+/[^/]+$")
      setenv("MULTITENANT_NODE_KIT", base)
      prepend_path("PATH", base .. "/bin")
    LUA
    TCL = <<~TCL
      #%Module1.0
      proc ModulesHelp { } { puts stderr "What jobs that share services need on a compute node: README.md beside it." }
      module-whatis "MultiTenant: programs for compute nodes"
      set base [file dirname [file dirname [file dirname [file normalize $ModulesCurrentModulefile]]]]
      setenv MULTITENANT_NODE_KIT $base
      prepend-path PATH $base/bin
    TCL
    private_constant :LUA, :TCL

    def readme
      <<~README
        # MultiTenant's node kit, #{VERSION}

        Built on #{system}. It runs on nodes of that system, and on later ones that have the same libraries; it links nothing of
        Slurm's, and goes with any release of it that MultiTenant serves. For nodes of another system make another kit on one of
        their kind. `bin` has

        | program | what for |
        |---|---|
        | `multitenant-gate` | lets tenants into a service; beside it the node's own nginx with auth_request |
        | `multitenant-munge` | makes and opens MUNGE credentials; a tenant's job logs in by the node's own `munge` |
        | `multitenant-seal` | seals by a group's key |
        | `multitenant-login`, behind `multitenant-job` | logs a job in to a service with a gateway |
        | `multitenant-share`, and `multitenant-job`, `-port`, `-chain`, `-keeper`, `-submission`, `-data`, `-gateway`, `-nginx` | share a job of one's own |

        Without it services are shared as before: sealed by munge, without a gateway where the node has no `multitenant-gate`.

        ## How nodes get it

        1. Copy this directory to a file system that login and compute nodes share, as it stands, so that only root can change it:
           `cp -r DIR /shared/multitenant && chown -R root:root /shared/multitenant && chmod -R a+rX,go-w /shared/multitenant`.
        2. On the nodes install the libraries that the programs link: Debian `libmunge2 libssl3 libjansson4 zlib1g`; EL
           `munge-libs openssl-libs jansson zlib`. `ldd bin/*` names what is missing. For a gateway also `nginx`, and `socat`,
           `iproute` and util-linux 2.36 or later, which EL 8 lacks, where Ollama is served.
        3. Let every job have the variable MULTITENANT_NODE_KIT. Either for all, in `/etc/profile.d/multitenant.sh` of the nodes:

           ```
           export MULTITENANT_NODE_KIT=/shared/multitenant PATH=$PATH:/shared/multitenant/bin
           ```

           or by the module, where jobs load one: `module use /shared/multitenant/modulefiles`, then
           `module load multitenant-node-kit` (Lmod and Environment Modules).
        4. Try it in a job: `srun bash -lc 'multitenant-gate --version'`. `multitenant doctor --node` says what nodes can do.

        After an upgrade run `multitenant node-kit` on this directory again: each file is replaced as a whole, and jobs that run
        keep what they have.
      README
    end
  end
end
