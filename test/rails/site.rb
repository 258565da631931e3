# frozen_string_literal: true

require 'fileutils'
require 'json'
require 'rbconfig'

# What an Open OnDemand host has on its disk, below a directory of the test's: the dashboard, apps,
# clusters, and the site's own initializers and plugins. All of it is root's.
class Site
  INITIALIZER = File.expand_path('../../initializer/multitenant.rb', __dir__)

  # Where script/setup put the dashboard's gems.
  GEMS = ENV.fetch('MULTITENANT_RAILS_GEMS') { "/var/tmp/multitenant-rails-gems-#{Process.euid}" }

  # @return [String] as GEM_PATH has it
  def self.gems
    "#{GEMS}/ruby/#{RbConfig::CONFIG['ruby_version']}"
  end

  DELIVERY = 'multitenant-delivery_default'
  VIEW = '<div>Reach it at <%= ERB::Util.html_escape(host) %>:<%= ERB::Util.html_escape(port) %></div>'

  # @param root [String] a directory that everybody may enter
  # @param gem_home [String] where the gem is installed
  def initialize(root, gem_home:)
    @root = root
    @gem_home = gem_home
    FileUtils.mkdir_p([path('etc/ood/config/plugins'), path('etc/ood/config/clusters.d')])
    FileUtils.mkdir_p(apps)
    FileUtils.cp_r(File.join(__dir__, 'ood'), dashboard)
    app(DELIVERY, 'form.yml' => "---\nform: []\n", 'view.html.erb' => VIEW)
    FileUtils.chmod_R('a+rX,go-w', root)
  end

  def path(*parts)
    File.join(@root, *parts)
  end

  # @return [String] the dashboard's own directory
  def dashboard
    File.join(apps, 'dashboard')
  end

  # @param files [Hash] name => text
  def app(name, files)
    files.each { |file, text| write(File.join(apps, name, file), text) }
  end

  # @param job [Hash] what is not as everywhere
  def cluster(id, job = {})
    job = { adapter: 'slurm', cluster: id }.merge(job)
    write(path("etc/ood/config/clusters.d/#{id}.yml"), JSON.generate(v2: { metadata: { title: id }, job: job }))
  end

  # An initializer of the site's, as 3.1 knows it.
  def initializer(name = 'multitenant', text = File.read(INITIALIZER))
    write(path("etc/ood/config/apps/dashboard/initializers/#{name}.rb"), text)
  end

  # The initializer as a plugin's.
  def plugin(name = 'multitenant', text = File.read(INITIALIZER))
    write(path("etc/ood/config/plugins/#{name}/initializers/multitenant.rb"), text)
  end

  # @return [Hash] what a user's dashboard is started with, as nginx_stage does
  def env
    {
      'PATH' => '/usr/local/bin:/usr/bin:/bin', 'LANG' => 'C.UTF-8', 'RAILS_ENV' => 'production',
      'SECRET_KEY_BASE' => 'x' * 64, 'RAILS_RELATIVE_URL_ROOT' => '/pun/sys/dashboard',
      'BUNDLE_USER_CONFIG' => '/dev/null', 'BUNDLE_FROZEN' => 'true',
      'GEM_HOME' => @gem_home, 'GEM_PATH' => "#{@gem_home}:#{self.class.gems}",
      'OOD_SYS_APPS' => apps, 'OOD_CLUSTERS' => path('etc/ood/config/clusters.d'),
      'OOD_APP_CONFIG_ROOT' => path('etc/ood/config/apps/dashboard'),
      'OOD_PLUGINS_DIRECTORY' => path('etc/ood/config/plugins')
    }
  end

  private

  def apps
    path('var/www/ood/apps/sys')
  end

  def write(path, text)
    FileUtils.mkdir_p(File.dirname(path), mode: 0o755)
    File.write(path, text, perm: 0o644)
  end
end
