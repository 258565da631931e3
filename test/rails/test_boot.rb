# frozen_string_literal: true

require_relative 'rails_test'

# How we come into the dashboard, and what happens where its inside is another.
class TestBoot < RailsTest
  def preloaded?
    false
  end

  # Loads an initializer of the site's before ours; what it defines is done once classes can be loaded.
  def changed(ruby)
    @site.initializer('a_change', "Rails.application.config.to_prepare do\n#{ruby}\nend\n")
  end

  def test_as_a_classic_initializer
    FileUtils.remove_entry(@site.path('etc/ood/config/plugins/multitenant'))
    @site.initializer
    slurm_says(fresh(job(7)))
    start
    assert_equal [uuid(7)], @dashboard.sessions.cards.keys
    assert_empty @dashboard.log
  end

  # OOD passes over a plugin's part in which a file is not root's.
  def test_a_plugin_that_is_not_roots_is_not_loaded
    File.chown(2001, 2001, @site.path('etc/ood/config/plugins/multitenant/initializers/multitenant.rb'))
    start
    refute @dashboard.ruby('defined?(MultiTenant)')
  end

  def test_nothing_is_loaded_or_touched_where_it_is_not_enabled
    slurm_says(fresh(job(7)))
    slurm_does("touch #{File.join(@viewer.home, 'ran')}")
    @site.app('own', 'form.yml.erb' => "form: []\n# <%= MultiTenant.specs.size %>\n")
    start({ 'MULTITENANT_ENABLE' => nil })
    assert_empty @dashboard.sessions.cards
    refute_includes @dashboard.form('sys/own').body, 'id="alert"'
    assert_empty @dashboard.ruby('$LOADED_FEATURES.grep(/ood_multitenant/)')
    assert_equal [[], []], [@viewer.listed, @dashboard.log]
    refute_path_exists File.join(@viewer.home, 'ran')
  end

  # The dashboard's Bundler has not heard of us, and nothing of its gems is replaced by ours.
  def test_bundler_stays_as_it_is
    start
    assert_equal ['Gem::MissingSpecError', []], @dashboard.ruby(<<~RUBY)
      [begin; Gem::Specification.find_by_name('ood_multitenant').name; rescue LoadError => e; e.class.name; end,
       $LOAD_PATH.grep(/ood_multitenant/)]
    RUBY
    refute_empty @dashboard.ruby('$LOADED_FEATURES.grep(/ood_multitenant/)')
  end

  # OOD's classes are there only later; so it is with the initializers of any site.
  def test_site_initializers_come_before_the_dashboards_own
    @site.plugin('early', "raise 'late' if defined?(OODClusters)\nEARLY = true\n")
    start
    assert @dashboard.ruby('EARLY && !OODClusters.nil?')
  end

  CHANGES = {
    'all takes an argument' => [<<~RUBY, 'specs and cards renew only when the dashboard starts'],
      BatchConnect::Session.singleton_class.class_eval { alias_method :every, :all }
      def (BatchConnect::Session).all(_owner) = every
      BatchConnect::SessionsController.class_eval { def index = @sessions = BatchConnect::Session.all(nil) }
    RUBY
    'all is gone' => [<<~RUBY, 'specs and cards renew only when the dashboard starts'],
      BatchConnect::Session.singleton_class.class_eval { alias_method :every, :all; undef_method :all }
      BatchConnect::SessionsController.class_eval { def index = @sessions = BatchConnect::Session.every }
    RUBY
    'destroy takes an argument' => [<<~RUBY, 'a shared card can\'t be dismissed', 'what a service told a client stays'],
      BatchConnect::Session.class_eval { def destroy(_reason) = true }
    RUBY
    'cancel is gone' => ['BatchConnect::Session.undef_method(:cancel)', 'a shared card can\'t be dismissed'],
    'save is gone' => ['BatchConnect::Session.undef_method(:save)', 'of a session that could not be submitted'],
    'from_token takes two arguments' => [<<~RUBY, 'forms may be out of date'],
      def (BatchConnect::App).from_token(token, _viewer) = new(router: SysRouter.new(token.split('/')[1]))
      BatchConnect::Session.class_eval { def app = BatchConnect::App.from_token(token, nil) }
    RUBY
    'the factory is another' => [<<~RUBY, 'forms have no auto_multitenant_services'],
      SmartAttributes::AttributeFactory.singleton_class.class_eval { def build(id) = Attribute.new(id) }
    RUBY
    'there are no smart attributes' => ['BatchConnect::App; Object.send(:remove_const, :SmartAttributes)',
                                        'forms have no auto_multitenant_services'],
    'there is no SessionsController' => [<<~RUBY, 'does not look for new cards']
      BatchConnect::SessionsController.singleton_class.undef_method(:before_action)
    RUBY
  }.freeze

  CHANGES.each do |what, (ruby, *losses)|
    define_method(:"test_a_dashboard_in_which_#{what.tr(' ', '_')}") do
      changed(ruby)
      slurm_says(fresh(job(7)))
      start
      assert_equal losses.size, @dashboard.log.size, @dashboard.log.inspect
      losses.each { |loss| assert_equal 1, @dashboard.log.grep(/one that we don't know .*#{loss}/).size, loss }
      page = @dashboard.sessions
      assert_equal [200, [uuid(7)]], [page.status, page.cards.keys]
    end
  end

  # ---- what is other and does not concern us ----

  SAME = {
    'all may take an argument' => <<~RUBY,
      BatchConnect::Session.singleton_class.class_eval { alias_method :every, :all }
      def (BatchConnect::Session).all(_owner = nil) = every
      BatchConnect::SessionsController.class_eval { def index = @sessions = BatchConnect::Session.all('me') }
    RUBY
    'from_token may take another argument' => <<~RUBY,
      def (BatchConnect::App).from_token(token, _viewer = nil) = new(router: SysRouter.new(token.split('/')[1]))
      BatchConnect::Session.class_eval { def app = BatchConnect::App.from_token(token, 'me') }
    RUBY
    'should_poll may take another argument' => <<~RUBY,
      BatchConnect::SessionsHelper.class_eval { def should_poll?(sessions, all: true) = sessions.any? }
    RUBY
    'update_info may take an argument' => <<~RUBY
      BatchConnect::Session.class_eval do
        alias_method :ask, :update_info
        def update_info(fresh: false) = ask
        def info = @info || update_info(fresh: true)
      end
    RUBY
  }.freeze

  SAME.each do |what, ruby|
    define_method(:"test_a_dashboard_in_which_#{what.tr(' ', '_')}") do
      changed(ruby)
      start
      slurm_says(fresh(job(7)))
      ttl_passes
      page = @dashboard.sessions
      assert_equal [200, [uuid(7)]], [page.status, page.cards.keys]
      assert_empty @dashboard.log
    end
  end
end
