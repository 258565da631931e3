# frozen_string_literal: true

require 'erb'
require_relative 'kinds'

module MultiTenant
  # A shared service as programs look for it: in the environment. What a publisher calls their values has no say in the
  # names but behind the prefix MT_, so that none of them is a variable which means something to a shell or a loader.
  module ServiceEnvironment
    LOGIN = File.expand_path('../../../libexec/multitenant-login', __dir__)
    PREFIX = 'MT_'
    # Ours, whatever a publisher's own are called.
    OURS = %w[mt_members mt_gates].freeze
    POSTGRESQL = { 'PGHOST' => 'host', 'PGPORT' => 'port', 'PGUSER' => 'user', 'PGPASSWORD' => 'password',
                   'PGDATABASE' => 'database' }.freeze
    MYSQL = { 'MYSQL_HOST' => 'host', 'MYSQL_TCP_PORT' => 'port', 'MYSQL_USER' => 'user', 'MYSQL_PWD' => 'password',
              'MYSQL_DATABASE' => 'database' }.freeze
    # A password in the user's own ~/.pgpass or ~/.mylogin.cnf would go to the publisher.
    NO_FILES = { 'PGHOST' => { 'PGPASSFILE' => '/dev/null' },
                 'MYSQL_HOST' => { 'MYSQL_TEST_LOGIN_FILE' => '/dev/null' } }.freeze
    # The service is reached directly, whatever proxy the node has: that would read the key.
    NO_PROXY = 'export NO_PROXY=${NO_PROXY:+$NO_PROXY,}${no_proxy:+$no_proxy,}%s; export no_proxy=$NO_PROXY'
    # Beginnings of what the same programs read, as unset_client_variables of libexec/multitenant-job has them.
    FAMILIES = [%w[PG PSQL], %w[MYSQL MARIADB LIBMYSQL], %w[OPENAI_], %w[OLLAMA_], [PREFIX]].freeze
    URL_HOST = %r{\Ahttps?://\[?(?<host>[A-Za-z0-9._-]+|[\h:.]+)\]?(?:[:/]|\z)}
    HOST = /\A[A-Za-z0-9._:-]+\z/

    class << self
      # Not by backslashes, as Shellwords has it: in a bash whose locale is GBK, Big5 or Shift JIS one is a part of the
      # letter before it, if that is UTF-8's, and quotes nothing. A quote is a part of a letter in no locale.
      # @param text [String] anybody's
      # @return [String] that as one word of a shell
      def word(text)
        text.match?(%r{\A[A-Za-z0-9_@%+:,./-]+\z}) ? text : "'#{text.gsub("'") { "'\\''" }}'"
      end

      # @param connection [Hash{String => String}] of {MultiTenant.specs}
      # @param rows [Hash] of {Kinds}
      # @return [Hash{String => String}] every value as MT_KEY, and under the names that clients of language models, of
      #   databases and of a kind of application know
      def of(connection, rows = Kinds::TABLE)
        all(connection).merge(language_model(connection), database(connection), kind(connection, rows))
      end

      # @param munge_socket [String, nil] what the site has set; nil: the node finds out
      # @param rows [Hash] of {Kinds}
      # @return [String] bash that gives a client's job this environment; nothing of the user's own is left in it, where
      #   a service has nothing of that name. To one with a gateway it logs in. It needs libexec/multitenant-job.
      def script(connection, munge_socket: nil, rows: Kinds::TABLE)
        exports = [*forget(connection, rows), *exports(of(connection, rows)), *directly(connection)]
        if connection.key?('mt_gates')
          exports << "export MULTITENANT_MUNGE_SOCKET=#{word(munge_socket)}" if munge_socket
          exports.push(File.read(LOGIN), 'use_login')
          exports.concat(with_login(Kinds.environment(connection, rows)))
        end
        "# shellcheck shell=bash\nunset_client_variables\n#{exports.join("\n")}\n"
      end

      # The same for a shell of the user's, of any kind.
      # @param env [#keys] what that shell has exported: what would lead these programs elsewhere goes
      # @yield [String] a value
      # @yieldreturn [Boolean] whether that may be printed
      # @return [Array<String>] lines
      def shell(connection, env: ENV, &block)
        variables = of(connection)
        families = families(connection, variables)
        variables.select! { |_, value| block.call(value) }
        others = env.keys.select { |name| name.start_with?(*families) && name.match?(/\A\w+\z/) } - variables.keys
        [*others.map { |name| "unset #{name}" }, *exports(variables), *directly(connection)]
      end

      # The same for a program.
      # @return [Hash] "environment"; "forget": beginnings of the variables that go before; "direct": hosts that are met
      #   without a proxy
      def for_program(connection)
        variables = of(connection)
        { 'environment' => variables, 'forget' => families(connection, variables), 'direct' => hosts(connection) }
      end

      # @return [String, nil] bash, by which no proxy stands between programs and the service
      def directly(connection)
        hosts = hosts(connection)
        format(NO_PROXY, hosts.join(',')) unless hosts.empty?
      end

      private

      def exports(variables)
        variables.map { |name, value| "export #{name}=#{word(value)}" }
      end

      def hosts(connection)
        urls = connection.values_at('base_url', 'ollama_url').map { |url| url && url[URL_HOST, :host] }
        [*urls, connection['host']].compact.grep(HOST).uniq
      end

      # @return [Array<String>] beginnings of all that the programs read which know one of these variables
      def families(connection, variables)
        known = FAMILIES.select { |family| variables.any? { |name, _| name.start_with?(*family) } }
        known.flatten + Kinds.families(Kinds.environment(connection))
      end

      # @return [Array<String>] bash that clears what the programs of this kind read, and says for later what all do
      def forget(connection, rows)
        kinds = Kinds.families(Kinds.environment(connection, rows))
        all = families(connection, of(connection, rows)) | kinds
        ["export mt_families=#{word(all.join('|'))}", *kinds.map { |beginning| "unset \"${!#{beginning}@}\"" }]
      end

      def all(connection)
        shared = connection.except('mt_gate', *OURS).transform_keys { |key| PREFIX + key.upcase.delete_prefix(PREFIX) }
        shared.except(*OURS.map(&:upcase)).merge(connection.slice(*OURS).transform_keys(&:upcase))
      end

      def language_model(connection)
        base, ollama = connection.values_at('base_url', 'ollama_url')
        # Ollama's own programs send no token.
        base, ollama = base || (ollama && "#{ollama.chomp('/')}/v1") if connection.key?('mt_gate')
        return {} unless base || ollama

        # OpenAI's library insists on a key; at a gateway the login has it.
        key = connection['api_key'] || (Kinds::NO_KEY unless connection.key?('mt_gate'))
        { 'OPENAI_BASE_URL' => base, 'OPENAI_API_KEY' => base && key,
          'OLLAMA_HOST' => ollama, 'MT_MODEL' => connection['model'] || connection['ollama_model'] }.compact
      end

      # At a gateway each has a key of their own, and the login has it.
      def kind(connection, rows)
        keys = connection.slice('api_key', *('password' unless connection.key?('mt_gate'))).values
        key = keys.find { |one| !one.empty? } || Kinds::NO_KEY
        Kinds.environment(connection, rows).transform_values do |text|
          text.gsub(Kinds::KEY) { text == Kinds::KEY ? key : ERB::Util.url_encode(key) }
        end
      end

      # @return [Array<String>] bash
      def with_login(variables)
        variables.select { |_, text| text.include?(Kinds::KEY) }.map do |name, text|
          "[[ -z ${MT_API_KEY-} ]] || export #{name}=#{Kinds.with_key(text, 'MT_API_KEY') { |part| word(part) }}"
        end
      end

      # Where nothing says which it is, clients of both find it.
      def database(connection)
        return {} unless database?(connection)

        names = case connection['jdbc_url']
                when /\Ajdbc:postgresql:/ then POSTGRESQL
                when /\Ajdbc:(mysql|mariadb):/ then MYSQL
                when nil then { **POSTGRESQL, **MYSQL }
                else {}
                end
        names.transform_values { |key| connection[key] }.compact.merge(*NO_FILES.values_at(*names.keys).compact)
      end

      # Of one with a gateway the user comes with the login.
      def database?(connection)
        names = connection.keys
        (%w[host port] - names).empty? &&
          (names.include?('user') || (names.include?('mt_gate') && (%w[database jdbc_url] & names).any?))
      end
    end
  end
end
