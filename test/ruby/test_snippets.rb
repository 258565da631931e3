# frozen_string_literal: true

require_relative 'helper'
require 'uri'

# What a card offers to paste: whatever was shared is data to a shell, to Python and to R, and no secret is in it.
class TestSnippets < MultiTenantTest
  HOSTILE = ['a b', "o'x", '"; import os; os.system("id") #', '$(touch ran)', '`touch ran`', '; touch ran #',
             '| touch ran', "'; touch ran; '", '-e', '--defaults-file=/x', '@/etc/passwd', 'host=evil sslmode=disable',
             'postgresql://evil/', '\\', '\\"', "\\'", '!!', '*', '~', '${HOME}', '{a,b}', '%s%n', 'a&b<c>d', 'ß日本',
             "e\u0301", '#{1+1}', '?#/@:'].freeze # rubocop:disable Lint/InterpolationCheck -- it is text
  INVISIBLE = ["a\nb", "a\tb", "\u202Eb", "a\u200Bb", "a\u2028b", "a\u00A0b", ''].freeze
  SECRET = 'correct-horse'

  DATABASE = { 'host' => 'n1', 'port' => '5432', 'user' => 'u', 'database' => 'd', 'password' => SECRET }.freeze
  MODEL = { 'base_url' => 'http://n1:1/v1', 'ollama_url' => 'http://n1:1', 'model' => 'm', 'api_key' => SECRET }.freeze
  URLS = %w[http://n1:1/v1/'$(touch${IFS}ran)' http://n1:1/"+evil()+"#x http://n1:1/`id`;id&id|id{a,b} http://[::1]:1/
            https://n1/\\"].freeze

  PROGRAMS = %i[psql mysql psycopg pymysql r_postgres r_mariadb].freeze
  ALL = [*PROGRAMS, :openai, :ollama, :curl, :httr2].freeze

  def snippets(values)
    MultiTenant::Card.new(values, specs: {}).snippets
  end

  # Runs bash with programs that write their arguments down, and answers a prompt.
  # @return [Array<String>] these arguments
  def in_shell(text, stdin: '')
    bin = File.join(temporary, 'bin')
    FileUtils.mkdir_p(bin)
    %w[psql mysql curl].each do |name|
      File.write(File.join(bin, name), "#!/bin/sh\nprintf '%s\\0' \"$@\" >> #{temporary}/arguments\n" \
                                       "[ #{name} != curl ] || cat >> #{temporary}/stdin\n", perm: 0o755)
    end
    File.write("#{temporary}/arguments", '')
    done = run_as(nil, 'bash', '-c', text, stdin: stdin, dir: temporary,
                                           env: { 'PATH' => "#{bin}:/usr/bin:/bin", 'LC_ALL' => 'C.UTF-8' })
    assert_equal [0, ''], [done.code, done.err.gsub('API key: ', '')], text
    refute_path_exists File.join(temporary, 'ran')
    File.read("#{temporary}/arguments").split("\0", -1)[0..-2]
  end

  # Python's modules, that tell what they were called with.
  MODULES = {
    'psycopg' => 'connect = tell', 'pymysql' => 'connect = tell', 'getpass' => "getpass = lambda *_: 'typed'",
    'openai' => 'OpenAI = tell', 'ollama' => 'Client = tell'
  }.freeze
  TELL = <<~PYTHON
    import json
    class Any:
        def __getattr__(self, name): return Any()
        def __getitem__(self, name): return Any()
        def __call__(self, **keys):
            print(json.dumps(keys))
            return Any()
        def __str__(self): return '{}'
    tell = Any()
  PYTHON

  # @return [Hash] all that calls were given
  def in_python(text)
    MODULES.each { |name, body| File.write(File.join(temporary, "#{name}.py"), "#{TELL}#{body}\n") }
    done = run_as(nil, 'python3', '-c', text, dir: temporary, env: { 'PYTHONPATH' => temporary, 'LC_ALL' => 'C.UTF-8' })
    assert_equal [0, ''], [done.code, done.err], text
    done.out.lines.map { |line| JSON.parse(line) }.reduce(:merge)
  end

  # @return [Array<String>] the strings in a text of R's
  def in_r(text)
    assert_empty text.gsub(/"(?:[^"\\]|\\["\\])*"/, '').scan(/["'\\#`]/), text
    text.scan(/"(?:[^"\\]|\\["\\])*"/).map { |literal| JSON.parse(literal) }
  end

  def test_database
    HOSTILE.each do |text|
      offered = snippets(DATABASE.merge('user' => text, 'database' => text))
      url = in_shell(offered.psql)
      assert_equal 1, url.size
      uri = URI(url[0].delete_prefix('--dbname='))
      assert_equal ['postgresql', text, 'n1', 5432, "/#{text}"],
                   [uri.scheme, unescape(uri.user), uri.host, uri.port, unescape(uri.path)]
      assert_equal ['--local-infile=0', '--protocol=tcp', '--host=n1', '--port=5432', "--user=#{text}",
                    "--database=#{text}", '--password'], in_shell(offered.mysql)
      assert_equal({ 'host' => 'n1', 'port' => 5432, 'dbname' => text, 'user' => text, 'password' => 'typed' },
                   in_python(offered.psycopg))
      assert_equal({ 'host' => 'n1', 'port' => 5432, 'database' => text, 'user' => text, 'password' => 'typed',
                     'local_infile' => false }, in_python(offered.pymysql))
      assert_equal ['n1', text, text, 'Password: '], in_r(offered.r_postgres)
      assert_equal ['n1', text, text, 'Password: '], in_r(offered.r_mariadb)
    end
  end

  def unescape(text)
    URI.decode_www_form_component(text.gsub('+', '%2B'))
  end

  def test_model
    HOSTILE.product([SECRET, '']).each do |text, key|
      offered = snippets(MODEL.merge('model' => text, 'api_key' => key))
      arguments = in_shell(offered.curl, stdin: "typed\n")
      assert_equal %w[-q] + (key.empty? ? [] : %w[--config -]), arguments[0..-7]
      assert_equal 'http://n1:1/v1/chat/completions', arguments.last
      assert_equal text, JSON.parse(arguments[-2])['model']
      assert_equal [text, key.empty? ? 'none' : 'typed'], in_python(offered.openai).values_at('model', 'api_key')
      assert_equal text, in_python(offered.ollama)['model']
      assert_includes in_r(offered.httr2), text
    end
    assert_includes File.read("#{temporary}/stdin"), "header = \"Authorization: Bearer typed\"\n"
  end

  def test_urls
    URLS.each do |url|
      offered = snippets(MODEL.merge('base_url' => url, 'ollama_url' => url))
      assert_equal "#{url.chomp('/')}/chat/completions", in_shell(offered.curl, stdin: "typed\n").last
      assert_equal url, in_python(offered.openai)['base_url']
      assert_equal url, in_python(offered.ollama)['host']
      assert_includes in_r(offered.httr2), "#{url.chomp('/')}/chat/completions"
    end
  end

  def test_no_secret_is_in_it
    both = [snippets(DATABASE), snippets(MODEL)]
    texts = both.flat_map { |one| ALL.filter_map { |name| one.public_send(name) } }
    assert_equal 10, texts.size
    texts.each { |text| refute_includes text, SECRET }
  end

  # What can't be seen, or is no address, is not offered to be pasted.
  def test_what_is_not_offered
    INVISIBLE.each do |text|
      assert_nothing_of(DATABASE.merge('user' => text))
      assert_nothing_of(DATABASE.merge('database' => text))
      assert_nothing_of(MODEL.merge('model' => text))
    end
    { 'host' => ['n1;id', '-oProxyCommand=id', "n1\nid", 'n 1', ''],
      'port' => ['1;id', '-1', '65536', "1\n", ''] }.each do |key, values|
      values.each { |value| assert_nothing_of(DATABASE.merge(key => value)) }
    end
    ['file:///etc/passwd', "http://n1/\nid", 'http://n 1/', '-K/x'].each do |url|
      assert_nothing_of(MODEL.merge('base_url' => url, 'ollama_url' => url))
    end
  end

  def assert_nothing_of(values)
    offered = snippets(values)
    assert_empty(ALL.filter_map { |name| offered.public_send(name) }, values)
  end

  def test_only_for_the_engine_that_it_is
    { 'postgresql' => %i[psql psycopg r_postgres], 'mysql' => %i[mysql pymysql r_mariadb],
      'mariadb' => %i[mysql pymysql r_mariadb] }.each do |engine, offered|
      one = snippets(DATABASE.merge('jdbc_url' => "jdbc:#{engine}://n1:5432/d"))
      assert_equal(offered, PROGRAMS.select { |name| one.public_send(name) })
    end
    assert_equal(PROGRAMS, PROGRAMS.select { |name| snippets(DATABASE).public_send(name) })
  end
end
