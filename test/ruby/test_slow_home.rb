# frozen_string_literal: true

require_relative 'helper'

# A dashboard whose user's home answers slowly: 20 ms for each call on a file.
class TestSlowHome < MultiTenantTest
  CARDS = 32

  # DASHBOARD RECORDS DIRECTORY: three dashboards one after the other, each with a data root of its own; prints what was
  # seen of each as JSON.
  DASHBOARD = <<~'RUBY'
    require 'json'
    require 'multitenant'
    records, directory = ARGV
    text = nil
    source = lambda do |_|
      MultiTenant::Answer.new(texts: [text], from: 'test', seconds: 0.0, error: nil, code: 0)
    end
    settings = MultiTenant::Settings.new({})
    clusters = MultiTenant::Clusters.new([MultiTenant::Clusters::Cluster.new('hpc', 'hpc', nil)])
    log = ->(*) {}
    puts JSON.generate(Array.new(3) { |i|
      dataroot = File.join(directory, i.to_s)
      sources = MultiTenant::Sources.new([MultiTenant::Schedule.new(source, 3600)])
      receiver = MultiTenant::Receiver.new(settings, source: sources, clusters: clusters, log: log,
                                                     core: settings.to_core(dataroot: dataroot))
      renewal = MultiTenant::Renewal.new(receiver, sources, log: log)
      page = lambda do
        start = MultiTenant.clock
        renewal.call(cards: true)
        MultiTenant.clock - start
      end
      listed = -> { Dir.glob('batch_connect/db/*', base: dataroot).map { |path| File.basename(path) } }
      of_cards = ->(name) { Dir.glob("batch_connect/sys/*/output/*/#{name}", base: dataroot).map { |path| path.split('/')[-2] } }
      # Files of a slow home, then what went on beside comes to its end.
      slowly = lambda do |&block|
        File.write(ENV['SLOW_HOME'], '')
        block.call
      ensure
        File.unlink(ENV['SLOW_HOME'])
        sleep 0.01 while Thread.list.size > 1
      end
      one = { pages: [] }

      text = File.read(records)
      receiver.ask
      slowly.call do
        2.times { one[:pages] << page.call }
        sleep 0.01 while of_cards.call('connection.yml').size < 2
        # What is written first is looked at last.
        one[:begun] = [of_cards.call('connection.yml'), listed.call, of_cards.call('.multitenant')]
      end
      one[:written] = listed.call.size
      page.call
      slowly.call { one[:pages] << page.call }

      text = "#{text.lines.first}{\"end\":0}\n"
      sources.expire
      slowly.call { one[:pages] << page.call }
      one[:left] = listed.call.size
      page.call
      one[:at_last] = listed.call.size
      one
    })
  RUBY

  def setup
    super
    @viewer = Viewer.new(self)
  end

  def library
    path = File.join(temporary, 'slow_home.so')
    assert system('gcc', '-shared', '-fPIC', '-D_GNU_SOURCE', '-o', path, File.join(__dir__, 'slow_home.c'), '-ldl')
    path
  end

  def see
    records = File.join(temporary, 'records')
    File.write(records, stream(*Array.new(CARDS) { |i| job(100 + i) }))
    env = { 'LD_PRELOAD' => library, 'SLOW_HOME' => File.join(@viewer.home, 'slow') }
    lib = File.expand_path('../../lib', __dir__)
    command = [RbConfig.ruby, "-I#{lib}", '-e', DASHBOARD, records, @viewer.home]
    said, ok = @viewer.do { Open3.capture2e(env, *command).then { |out, status| [out, status.success?] } }
    assert ok, said
    JSON.parse(said)
  end

  # Promised: no page waits for more than 250 ms, and no file goes while a page reads them. The bound is that of the
  # best of three, as other processes have this machine's processors, too: without it each takes seconds.
  def test_no_page_waits_for_the_files_of_many_cards
    seen = see
    seen.map { |one| one['pages'] }.transpose.each { |times| assert_operator times.min, :<, 0.25 }
    seen.map { |one| one['begun'] }.each do |connections, cards, marks|
      assert_includes 2...CARDS, connections.size
      assert_equal [[], []], [connections - cards, cards - marks]
    end
    assert_equal([[CARDS, CARDS, 0]] * 3, seen.map { |one| one.values_at('written', 'left', 'at_last') })
  end
end
