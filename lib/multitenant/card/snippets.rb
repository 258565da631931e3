# frozen_string_literal: true

require 'erb'
require 'json'
require_relative '../apps/service_environment'

module MultiTenant
  class Card
    # What a viewer pastes into bash, Python or R. What was shared is data there, too, and a secret is
    # asked for, not written. Each method gives nil where something is missing, or can't be seen on a screen.
    #
    # A client reaches the node that the card names and nothing else: no proxy of the site's, which would read the
    # key, and none of the variables by which the viewer's environment names another server, or a secret for it. Where
    # no password is typed, libpq would look for one of the viewer's own in ~/.pgpass, and send it there.
    class Snippets
      # Letters, marks, digits, punctuation, symbols, blanks: neither controls nor what turns a line around.
      VISIBLE = /\A[\p{L}\p{M}\p{N}\p{P}\p{S} ]+\z/

      # A key that leads no URL elsewhere in which it is pasted.
      IN_URLS = /\A[\w.~-]*\z/

      # @param card [Card]
      def initialize(card)
        @card = card
      end

      # ---- kinds of applications ----

      # The variables by which programs know it, and none of the viewer's own that they would read.
      def variables
        found = Kinds.environment(card.shared)
        return if found.empty? || !visible?(*found.values)

        asked = (card.gateway? || !card['password'].empty?) && found.values.any? { |text| text.include?(Kinds::KEY) }
        return if asked && leads_elsewhere?(found.values)

        found.transform_values! do |text|
          asked ? Kinds.with_key(text, 'key') { |part| word(part) } : word(text.gsub(Kinds::KEY, Kinds::NO_KEY))
        end
        lines = [*Kinds.families(found).map { |beginning| "unset \"${!#{beginning}@}\"" },
                 *("read -rsp 'Key: ' key; echo" if asked), *found.map { |name, text| "export #{name}=#{text}" },
                 ServiceEnvironment.directly(card.shared)]
        # One command: bash before 5.1 runs what is pasted line by line, and the next line would be read as the key.
        [*(asked ? ['{', *lines, '}'] : lines), ''].join("\n")
      end

      # ---- databases ----

      def psql
        return unless postgresql?

        '(unset "${!PG@}"; PGPASSFILE=/dev/null ' \
          "psql --dbname=postgresql://#{url(:user)}@#{card['host']}:#{card['port']}/#{url(:database)})\n"
      end

      # A server may ask a client for its files. For R there are no lines: RMariaDB gives any, has no argument against
      # that, and takes a password from ~/.my.cnf where none is typed.
      def mysql
        return unless mysql?

        options = %w[host port user database].map { |key| "--#{key}=#{word(card[key])}" }
        '(unset "${!MYSQL@}" "${!LIBMYSQL@}" "${!MARIADB@}"; ' \
          "mysql --local-infile=0 --protocol=tcp #{options.join(' ')} --password)\n"
      end

      def psycopg
        return unless postgresql?

        <<~PYTHON
          import getpass
          import os
          import psycopg

          for name in [name for name in os.environ if name.startswith("PG")]:
              del os.environ[name]
          connection = psycopg.connect(
              host=#{shared(:host)}, port=#{card['port']}, dbname=#{shared(:database)},
              user=#{shared(:user)}, password=getpass.getpass(), passfile="/dev/null",
          )
        PYTHON
      end

      def pymysql
        return unless mysql?

        <<~PYTHON
          import getpass
          import pymysql

          connection = pymysql.connect(
              host=#{shared(:host)}, port=#{card['port']}, database=#{shared(:database)},
              user=#{shared(:user)}, password=getpass.getpass(), local_infile=False,
          )
        PYTHON
      end

      def r_postgres
        return unless postgresql?

        <<~R
          Sys.unsetenv(grep("^PG", names(Sys.getenv()), value = TRUE))
          connection <- DBI::dbConnect(
            RPostgres::Postgres(), host = #{shared(:host)}, port = #{card['port']}, dbname = #{shared(:database)},
            user = #{shared(:user)}, password = askpass::askpass("Password: "), passfile = "/dev/null"
          )
        R
      end

      # 0.1.0's view asks for it: a dashboard may have that beside this gem.
      def r_mariadb; end

      # ---- language models ----

      def openai
        return unless model?

        <<~PYTHON
          #{"import getpass\n" if card.key?}import os
          import httpx
          from openai import OpenAI

          for name in [name for name in os.environ if name.startswith("OPENAI_")]:
              del os.environ[name]
          client = OpenAI(
              base_url=#{string(card.base_url)},
              api_key=#{card.key? ? 'getpass.getpass("API key: ")' : '"none"'},
              http_client=httpx.Client(trust_env=False),
          )
          answer = client.chat.completions.create(
              model=#{string(card.model)},
              messages=[{"role": "user", "content": "Hello"}],
          )
          print(answer.choices[0].message.content)
        PYTHON
      end

      def ollama
        return unless model? && card.ollama_url && !card.gateway?

        <<~PYTHON
          import os
          from ollama import Client

          os.environ.pop("OLLAMA_API_KEY", None)
          client = Client(host=#{string(card.ollama_url)}, trust_env=False)
          answer = client.chat(
              model=#{string(card.model)},
              messages=[{"role": "user", "content": "Hello"}],
          )
          print(answer["message"]["content"])
        PYTHON
      end

      # The key goes through a pipe: arguments can be read by others.
      def curl
        return unless model?

        body = JSON.generate(model: card.model, messages: [{ role: 'user', content: 'Hello' }])
        ask = %q(read -rsp 'API key: ' key && printf 'header = "Authorization: Bearer %s"\n' "$key" |)
        from = '--config - ' if card.key?
        lines = ["curl -q #{from}--noproxy '*' --globoff --header 'Content-Type: application/json'",
                 "  --data #{word(body)}", "  #{word(completions)}"]
        "#{"#{ask}\n" if card.key?}#{lines.join(" \\\n")}\n"
      end

      def httr2
        return unless model?

        <<~R
          library(httr2)

          answer <- request(#{string(completions)}) |>
            req_options(noproxy = "*") |>
          #{"  req_auth_bearer_token(askpass::askpass(\"API key: \")) |>\n" if card.key?}  req_body_json(list(
              model = #{string(card.model)},
              messages = list(list(role = "user", content = "Hello"))
            )) |>
            req_perform() |>
            resp_body_json()
          answer$choices[[1]]$message$content
        R
      end

      private

      attr_reader :card

      def leads_elsewhere?(texts)
        !card['password'].match?(IN_URLS) && texts.any? { |text| text.include?(Kinds::KEY) && text != Kinds::KEY }
      end

      def postgresql?
        database? && [nil, 'postgresql'].include?(card.engine)
      end

      def mysql?
        database? && card.engine != 'postgresql'
      end

      def database?
        card.address? && visible?(card['user'], card['database'])
      end

      def model?
        card.base_url && visible?(card.model)
      end

      def completions
        "#{card.base_url.chomp('/')}/chat/completions"
      end

      def visible?(*values)
        values.all? { |value| value.match?(VISIBLE) }
      end

      def shared(key)
        string(card[key])
      end

      # A string of Python and R.
      def string(value)
        JSON.generate(value)
      end

      def url(key)
        ERB::Util.url_encode(card[key])
      end

      def word(value)
        ServiceEnvironment.word(value)
      end
    end
  end
end
