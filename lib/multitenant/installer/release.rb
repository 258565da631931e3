# frozen_string_literal: true

require 'digest'
require_relative 'app_settings'
require_relative 'manifest'
require_relative '../host'

module MultiTenant
  # What a gem's directory brings to a host: the initializer, the apps, the agent's unit.
  class Release
    APPS = { 'services' => 'apps-services', 'delivery' => 'apps-delivery', 'clients' => 'apps-clients' }.freeze
    SITE = 'site.yml'

    # A file or directory as it should be; `bytes` of a file.
    Item = Struct.new(:entry, :bytes) do
      # Gives it other bytes.
      def replace(bytes)
        self.bytes = bytes
        entry.sha256 = Digest::SHA256.hexdigest(bytes)
      end
    end

    # @param dir [String]
    def initialize(dir)
      @dir = dir
    end

    # @param part [String] a key of {APPS}
    # @return [Array<String>] paths of apps in the gem
    def apps(part)
      Dir.glob(File.join(@dir, APPS.fetch(part), '*/')).map { |app| app.chomp('/') }.sort
    end

    # @return [Boolean]
    def unit?
      File.file?(unit)
    end

    # @return [String, nil] a setting of the agent's unit
    def unit_setting(name)
      File.read(unit)[/^#{name}=(\S+)/, 1]
    end

    # @param path [String] where this OOD has initializers
    # @return [Array<Item>]
    def initializer(path)
      [file(File.join(@dir, 'initializer/multitenant.rb'), path, 'initializer')]
    end

    # @param command [String, nil] how it is started, where that is not as the unit says
    # @return [Array<Item>]
    def agent(command)
      item = file(unit, Host::UNIT, 'agent')
      item.replace(item.bytes.sub(/^ExecStart=.*$/) { "ExecStart=#{command}" }) if command
      [item]
    end

    # @return [Array<Item>] of every app of a part: directories before what is in them
    def app_items(part, group: nil)
      apps(part).flat_map do |app|
        [app, *Dir.glob(File.join(app, '**/*'), File::FNM_DOTMATCH).sort].uniq.filter_map do |source|
          next if ['.', '..'].include?(File.basename(source))

          target = File.join(Host::APPS, source.delete_prefix("#{File.dirname(app)}/"))
          if File.directory?(source)
            Release.directory(target, part, mode: group ? '0750' : '0755', gid: group || 0)
          elsif File.file?(source)
            file(source, target, part, gid: group || 0)
          end
        end
      end
    end

    # @return [Item] a directory that is root's
    def self.directory(path, part, mode: '0755', gid: 0)
      Item.new(Manifest::Entry.new(path: path, kind: 'directory', part: part, mode: mode, uid: 0, gid: gid))
    end

    private

    def unit
      File.join(@dir, 'systemd/multitenant-agent.service')
    end

    def file(source, target, part, gid: 0)
      site = File.dirname(File.dirname(target)) == Host::APPS && File.basename(target) == SITE
      entry = Manifest::Entry.new(path: target, kind: site ? 'site' : 'file', part: part, uid: 0, gid: gid,
                                  mode: File.executable?(source) ? '0755' : '0644')
      Item.new(entry).tap { |item| item.replace(File.binread(source)) }
    end
  end
end
