# frozen_string_literal: true

require 'etc'

module MultiTenant
  # What the site's admin chose, read from environment variables, which the dashboard's `env` file sets.
  # A value that makes no sense is replaced by its default and named in {#warnings}.
  class Settings
    ENVELOPES = %w[munge key v1].freeze
    # As multitenant-query takes them (ext/multitenant_query/query.c), and how many.
    WCKEY = /\A\*?[A-Za-z0-9_.:@+-]{1,64}\z/
    WCKEYS = 32
    TOKEN_PATTERN = %r{\Asys/[A-Za-z0-9_.*?\[\]-]{1,128}\z}
    # Those of Active Directory have blanks, \ and @.
    GROUP = /\A[^,:|[:cntrl:]\u{fffd}]{1,256}\z/
    # Bytes of all groups of publishers, as programs and records carry them.
    MOST = 256

    DOMAIN = /\A(?=.{1,253}\z)\w(?:[\w.-]*\w)?\z/
    RESOLVER = '/etc/resolv.conf'

    PATH = %r{\A/[^[:cntrl:]]{1,1000}\z}

    # A slurmrestd: a socket, this host's loopback, or where TLS says who it is.
    SLURMRESTD = %r{\A(?:unix:(?<path>/[^[:cntrl:]]{1,106})|
                    (?<scheme>https|http(?=://(?:127\.[\d.]+|localhost|\[::1\])(?:[:/]|\z)))://
                    (?<host>[A-Za-z0-9._-]{1,253}|\[[\h:.]+\])(?::(?<port>\d{1,5}))?(?<prefix>(?:/[\w.~-]+)*)/?)\z}x

    # A template: {user}, {service} and {group} stand in its path, once each, which ends with /.
    ADDRESS = %r{\Ahttps?://[A-Za-z0-9._\[\]:-]+/
                 (?!.*\{(\w+)\}.*\{\1\})(?=.*\{user\})(?=.*\{service\})(?=.*\{group\})
                 (?:[A-Za-z0-9._~@/-]|\{(?:user|service|group)\}){1,500}/\z}x
    PORTS = /\A\d{1,5}(?:-\d{1,5})?\z/
    ALL_PORTS = (0..65_535)

    # No group has this name. A MULTITENANT_PUBLISHERS that makes no sense must not let everybody publish.
    NOBODY = '-'

    # @return [Array<String>] WCKeys in lower case, as slurmctld keeps them
    attr_reader :wckeys
    # @return [Array<String>] patterns of tokens that a message may name
    attr_reader :deliveries
    # @return [Array<String>] accepted envelopes
    attr_reader :envelopes
    # @return [Boolean] the publisher must belong to the group they name
    attr_reader :publisher_in_group
    # @return [Boolean] one user name is one person on all clusters
    attr_reader :one_directory
    # @return [String, nil] groups whose members may publish, with commas between
    attr_reader :publishers
    # @return [Array<String>] what may follow a node's name in a host
    attr_reader :node_domains
    # @return [Float] seconds that the start of a dashboard may spend on us
    attr_reader :timeout
    # @return [Float] seconds after which specs and cards are renewed
    attr_reader :ttl
    # @return [String, nil] directory of a snapshot
    attr_reader :snapshot
    # @return [String, nil] see {Host#munge_socket}
    attr_reader :munge_socket
    # @return [String, nil] directory of the groups' keys; nil: the core's default
    attr_reader :keys
    # @return [String, nil] template of the addresses that services have outside Open OnDemand
    attr_reader :address
    # @return [Array<Range>] ports that no proxy leads to
    attr_reader :proxy_deny
    # @return [String, nil] the slurmrestd of the host's only cluster
    attr_reader :slurmrestd
    # @return [String, nil] file with the token for it
    attr_reader :slurmrestd_token
    # @return [Array<String>] one sentence for each value that made no sense
    attr_reader :warnings

    # @return [Array<String>] the domain of this host's name, or else the first one that it completes names with
    def self.own_domains(name: Etc.uname[:nodename], resolver: RESOLVER)
      domain = name.partition('.').last
      domain = File.read(resolver, 4096).to_s[/^(?:domain|search)\s+(\S+)/, 1] if domain.empty?
      [domain].grep(DOMAIN)
    rescue SystemCallError
      []
    end

    # @param env [#[]] variables by name
    def initialize(env = ENV)
      @env = env
      @warnings = []
      @wckeys = keys_of('MULTITENANT_WCKEY', 'multitenant')
      @deliveries = list('MULTITENANT_DELIVERY', 'sys/multitenant-delivery_*', TOKEN_PATTERN)
      @envelopes = list('MULTITENANT_ENVELOPES', ENVELOPES.join(','), /\A(?:#{ENVELOPES.join('|')})\z/)
      @publisher_in_group = true?('MULTITENANT_PUBLISHER_IN_GROUP')
      @one_directory = true?('MULTITENANT_ONE_DIRECTORY', unclear: 'false')
      @publishers = groups('MULTITENANT_PUBLISHERS')
      @node_domains = domains('MULTITENANT_NODE_DOMAINS')
      @web_apps = value('MULTITENANT_WEB_APPS', 'all', /\A(?:all|publishers|off)\z/) { 'off' }
      @timeout = seconds('MULTITENANT_TIMEOUT', 3, 0.2..60)
      @ttl = seconds('MULTITENANT_TTL', 30, 1..86_400)
      @snapshot = value('MULTITENANT_SNAPSHOT', nil, %r{\A/[^[:cntrl:]]+\z})
      @munge_socket = value('MULTITENANT_MUNGE_SOCKET', nil, %r{\A/[^[:cntrl:]]{1,106}\z})
      @keys = value('MULTITENANT_KEYS', nil, PATH)
      @address = value('MULTITENANT_ADDRESS', nil, ADDRESS)
      @proxy_deny = ports('MULTITENANT_PROXY_DENY')
      @slurmrestd = value('MULTITENANT_SLURMRESTD', nil, SLURMRESTD)
      @slurmrestd_token = value('MULTITENANT_SLURMRESTD_TOKEN', nil, PATH)
      @env = nil
      freeze
    end

    # Below Open OnDemand's own address the pages of a web application can act as who opens them.
    # @return [Boolean] cards have buttons that open those of others
    def web_apps?
      @web_apps == 'publishers' ? !publishers.nil? : @web_apps == 'all'
    end

    # @return [Array<Integer>] the groups of this process
    def gids
      [Process.egid, *Process.groups].uniq
    end

    # What {Core} takes.
    # @param dataroot [String, nil] OOD's data root
    # @param per_cluster_dataroot [Boolean] OOD's setting of that name
    # @return [Hash]
    def to_core(dataroot:, per_cluster_dataroot: false)
      {
        uid: Process.euid, gids: gids,
        deliveries: deliveries, envelopes: envelopes, node_domains: node_domains,
        publisher_in_group: publisher_in_group, one_directory: one_directory, publishers: publishers,
        dataroot: dataroot, per_cluster_dataroot: per_cluster_dataroot, keys: keys, address: address
      }
    end

    private

    # Bytes that are not UTF-8 become a character that no setting accepts.
    def text_of(name)
      @env[name].to_s.dup.force_encoding(Encoding::UTF_8).scrub("\u{fffd}").strip
    end

    # The block gives the value to use instead of one that makes no sense, where that is not the default.
    def value(name, default, form)
      text = text_of(name)
      return default if text.empty?
      return text if text.match?(form) && !text.include?("\u{fffd}")

      refuse(name, text, block_given? ? yield : default)
    end

    # As Open OnDemand's own settings and site.yml say it, too.
    def true?(name, unclear: 'true')
      value(name, 'true', /\A(?:true|yes|on|1|false|no|off|0)\z/i) { unclear }.match?(/\A(?:true|yes|on|1)\z/i)
    end

    def list(name, default, form)
      items = value(name, default, //).split(',').map(&:strip).reject(&:empty?)
      return items if items.any? && items.all? { |item| item.match?(form) }

      refuse(name, text_of(name), default).split(',')
    end

    def keys_of(name, default)
      keys = list(name, default, WCKEY).map { |key| key.downcase.delete_prefix('*') }.uniq
      keys.size > WCKEYS ? [refuse(name, text_of(name), default)] : keys
    end

    def groups(name)
      names = list(name, NOBODY, GROUP).join(',') unless text_of(name).empty?
      names.to_s.bytesize > MOST ? refuse(name, names, NOBODY) : names
    end

    def domains(name)
      own = Settings.own_domains
      text_of(name).empty? ? own : list(name, own.join(','), DOMAIN)
    end

    # A list that makes no sense must not let a proxy go everywhere.
    def ports(name)
      items = text_of(name).split(',').map(&:strip)
      ranges = items.grep(PORTS) { |item| item.split('-').map(&:to_i).then { |ends| ends.first..ends.last } }
      return ranges if ranges.size == items.size && ranges.all? { |range| range.any? && ALL_PORTS.cover?(range) }

      refuse(name, text_of(name), 'all ports')
      [ALL_PORTS]
    end

    def seconds(name, default, range)
      number = Float(value(name, default.to_s, //), exception: false)
      return number if number && range.cover?(number)

      refuse(name, text_of(name), default).to_f
    end

    def refuse(name, text, default)
      shown = text[0, 80].gsub(/[^ -~]/, '?')
      @warnings << "#{name}=#{shown} makes no sense; #{default.to_s.empty? ? 'nothing' : default} is used instead."
      default
    end
  end
end
