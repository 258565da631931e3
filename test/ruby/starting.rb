# frozen_string_literal: true

# A dashboard that starts with the initializer, in a process of a user's, with a gem of the test's.
module Starting
  # What stands for the dashboard: as much of Rails, OodAppkit and Configuration as there is when
  # initializers are loaded. It prints what the initializer did.
  DASHBOARD = %w[process_state.rb ../promise.rb].map { |name| File.read(File.join(__dir__, name)) }.join + <<~'RUBY'
    require 'json'
    require 'ostruct'
    LOG = []
    module Rails
      LOGGER = Object.new
      %i[debug info warn error].each { |level| LOGGER.define_singleton_method(level) { |line| LOG << [level, line] } }
      def self.logger = ENV['NO_LOGGER'] ? nil : LOGGER
      def self.application = self
      def self.config = self
      def self.to_prepare = nil
    end
    unless ENV['NO_APPKIT']
      module OodAppkit
        def self.dataroot = Pathname.new(File.join(Dir.home, 'ondemand/data/sys/dashboard'))

        def self.clusters
          raise ENV['BAD_CLUSTERS'] if ENV['BAD_CLUSTERS']
          [OpenStruct.new(id: :hpc, job_config: { adapter: 'slurm', cluster: 'hpc', conf: ENV['OOD_CONF'] },
                          job_allow?: true, metadata: OpenStruct.new)]
        end
      end
    end
    require 'pathname'
    class Configuration
      def self.per_cluster_dataroot? = ENV['PER_CLUSTER'] == 'true'
    end
    Thread.new {}.join # with the first one libc takes a signal for itself
    features = $LOADED_FEATURES.dup
    before = ProcessState.now
    seconds = Promise.seconds { load ARGV[0] }
    after = ProcessState.now
    # Ruby keeps a thread of C's for some seconds after its own has ended.
    changed = before.keys.reject { |what| what == 'tasks' || before[what] == after[what] }
    warn "changed: #{changed.join(', ')}" if changed.any?
    loaded = $LOADED_FEATURES - features
    log = LOG.dup
    puts JSON.generate(seconds: seconds, log: log, specs: MultiTenant.specs, report: MultiTenant.report, same: changed.empty?,
                       frozen: MultiTenant.specs.frozen? && MultiTenant.report.frozen?, loaded: loaded,
                       refreshed: ENV['REFRESH'] && MultiTenant.refresh, names: MultiTenant.constants, path: $LOAD_PATH)
  RUBY

  Start = Struct.new(:seconds, :log, :specs, :report, :frozen, :same, :refreshed, :loaded, :names, :path, :err,
                     keyword_init: true)

  def setup
    super
    need_root
    @viewer = Viewer.new(self)
    @home = GemHomes.make
    @dashboard = File.join(temporary, 'dashboard.rb')
    File.write(@dashboard, DASHBOARD)
  end

  # @return [Start] of a dashboard of the viewer's
  def start(env = {})
    env = { 'HOME' => @viewer.home, 'GEM_HOME' => @home, 'GEM_PATH' => @home,
            'MULTITENANT_ENABLE' => 'true' }.merge(env)
    initializer = File.join(File.dirname(Tree.lib), 'initializer/multitenant.rb')
    done = run_as(@viewer.uid, RbConfig.ruby, @dashboard, initializer, env: env, dir: temporary)
    assert_equal 0, done.code, done.err
    Start.new(**JSON.parse(done.out).transform_keys(&:to_sym), err: done.err)
  end

  # The gem with a query program of the test's.
  def gem_with(body, version = MultiTenant::VERSION)
    lib = GemHomes.add(@home, version)
    path = File.join(lib, 'multitenant/multitenant-query')
    FileUtils.rm_f(path)
    File.write(path, "#!/bin/sh\n#{body}\n", perm: 0o755) if body
    lib
  end

  def gem_that_prints(text, version = MultiTenant::VERSION)
    lib = gem_with('cat "${0%/*}/records"', version)
    File.write(File.join(lib, 'multitenant/records'), text)
    lib
  end

  # The dashboard started without us, and one line of the log says why.
  def assert_off(start, sentence, level: 'error', seconds: 3.5)
    assert_equal [{}, nil, true], [start.specs, start.report['at'], start.frozen]
    assert_equal [[level], 1], [start.log.map(&:first), start.log.flat_map { |_, line| line.lines }.size], start.log
    assert_match(/\Amultitenant: .*#{sentence}/, start.log[0][1])
    assert_operator start.seconds, :<=, seconds
    assert start.same
    assert_empty start.err
  end
end
