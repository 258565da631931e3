# frozen_string_literal: true

require_relative 'boot'
require 'rails'
require 'active_model/railtie'
require 'action_controller/railtie'
require 'action_view/railtie'

Bundler.require(*Rails.groups)

module Dashboard
  # Stands for OOD's dashboard: its boot order, its places for a site's files, and those of its
  # classes that a site's code meets.
  class Application < Rails::Application
    config.load_defaults(7.0)
    config.autoload_paths << Rails.root.join('lib').to_s

    add_site = lambda do |root, initializers: true, lib: true, views: true|
      config.paths['config/initializers'] << root.join('initializers').to_s if initializers
      config.autoload_paths << root.join('lib').to_s if lib
      config.paths['app/views'].unshift(root.join('views').to_s) if views
    end
    add_site.call(::Configuration.config_root)

    # A part of a plugin counts where all that stands in it is root's.
    roots = ->(part) { part.exist? && part.children.all? { |path| path.stat.uid.zero? } }
    plugins = ::Configuration.plugins_directory
    (plugins.directory? ? plugins.children.select(&:directory?) : []).each do |plugin|
      add_site.call(plugin, **%i[initializers lib views].to_h { |part| [part, roots.call(plugin.join(part.to_s))] })
    end
  end
end
