# frozen_string_literal: true

require 'pathname'

# What the site's admin set, from the environment.
class ConfigurationSingleton
  def config_root
    Pathname.new(ENV.fetch('OOD_APP_CONFIG_ROOT', '/etc/ood/config/apps/dashboard'))
  end

  def plugins_directory
    Pathname.new(ENV.fetch('OOD_PLUGINS_DIRECTORY', '/etc/ood/config/plugins'))
  end

  # OOD's own is always /var/www/ood/apps/sys.
  def sys_apps
    Pathname.new(ENV.fetch('OOD_SYS_APPS', '/var/www/ood/apps/sys'))
  end

  def dataroot
    Pathname.new(ENV['OOD_DATAROOT'] || File.join(Dir.home, ENV.fetch('OOD_PORTAL', 'ondemand'), 'data/sys/dashboard'))
  end

  def per_cluster_dataroot?
    ENV['OOD_PER_CLUSTER_DATAROOT'] == 'true'
  end

  def bc_dynamic_js?
    ENV['OOD_BC_DYNAMIC_JS'] == 'true'
  end

  def bc_saved_settings?
    ENV['OOD_BC_SAVED_SETTINGS'] == 'true'
  end

  def user_settings_file
    File.join(Dir.home, '.config/ondemand/settings.yml')
  end

  def auto_groups_filter
    ENV.fetch('OOD_AUTO_GROUPS_FILTER', nil)
  end

  def card_days
    ENV.fetch('OOD_BC_CARD_TIME', 7).to_i
  end
end
