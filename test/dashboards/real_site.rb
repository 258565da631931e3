# frozen_string_literal: true

require_relative '../rails/site'

# A host with a dashboard of Open OnDemand's own, which looks for apps in /var/www/ood whatever is configured.
class RealSite < Site
  APPS = File.expand_path('../..', __dir__)

  # @param directory [String] a dashboard that is ready to run
  # @param gems [String] the gem home that it uses
  def initialize(root, gem_home:, directory:, gems:)
    @directory = directory
    @gems = gems
    super(root, gem_home: gem_home)
    system('mount', '--options', 'bind,ro', directory, dashboard, exception: true)
    link('ood', path('var/www/ood'))
    # Where these may be entered, the dashboard has their pages.
    %w[files shell].each { |name| app(name, 'manifest.yml' => "name: #{name}\n") }
    Dir.glob(File.join(APPS, 'apps-*/*')).each { |app| install(app) }
  end

  # A link in /var/www, which is the run's own.
  def link(name, directory)
    path = File.join('/var/www', name)
    FileUtils.rm_f(path)
    File.symlink(directory, path)
  end

  def leave
    system('umount', dashboard, exception: true)
  end

  def plugins?
    File.read(File.join(@directory, 'config/configuration_singleton.rb')).include?('plugins_directory')
  end

  def nested_forms?
    File.read(File.join(@directory, 'app/models/batch_connect/app.rb')).include?('form_layout')
  end

  def env
    super.except('OOD_SYS_APPS').merge(
      'BUNDLE_WITHOUT' => 'development:test:doc', 'GEM_PATH' => "#{@gem_home}:#{@gems}"
    )
  end

  private

  def install(app)
    there = path('var/www/ood/apps/sys', File.basename(app))
    FileUtils.rm_rf(there)
    FileUtils.cp_r(app, there)
    settings = File.join(there, 'site.yml')
    File.write(settings, File.read(settings).sub(/^cluster: .*/, 'cluster: "hpc"')) if File.exist?(settings)
    FileUtils.chmod_R('a+rX,go-w', there)
  end
end
