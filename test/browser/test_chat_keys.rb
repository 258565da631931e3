# frozen_string_literal: true

require 'open3'
require_relative '../ruby/helper'
require_relative 'chat_servers'
require_relative 'own_keys'

# How the chat's server keeps the user's own key of a service with a gateway. No browser is asked.
class TestChatKeys < MultiTenantTest
  include OwnKeys

  # For each line it asks for the models, and says them or the error.
  ASK = <<~PYTHON
    import os, sys
    sys.path.insert(0, sys.argv[1])
    import key, service

    asked = service.Service(os.environ)
    for line in sys.stdin:
        exec(line)
        try:
            print(asked.models()[1])
        except service.ServiceError as error:
            print(error)
        sys.stdout.flush()
  PYTHON

  def setup
    @server = ModelServer.new
  end

  def teardown
    @server.stop
    super
  end

  # The block is given what runs a line of Python, and then says what the service answers.
  def chat(env, servers: [@server])
    members = servers.each_with_index.map do |server, i|
      { 'jobid' => i.to_s, 'base_url' => server.url, 'mt_gate' => "gate #{i}", 'api_key' => 'theirs' }
    end
    env = { 'MT_MEMBERS' => JSON.generate(members), 'MT_API_KEY' => nil, **env }
    Open3.popen2(env, 'python3', '-B', '-c', ASK, ChatJob::TEMPLATE, chdir: temporary) do |input, output, _|
      yield(lambda { |line = 'pass'|
        input.puts(line)
        output.gets.chomp
      })
    end
  end

  THERE = "['#{ModelServer::MODEL}']".freeze

  def test_the_key_that_the_job_got_is_used
    @server.keys = [token('a')]
    chat({ 'MT_API_KEY' => token('a'), **log_in(token('b')) }) { |ask| assert_equal [THERE] * 2, [ask[], ask[]] }
    assert_empty logged_in
  end

  def test_who_has_none_logs_in
    @server.keys = [token('a')]
    chat(log_in(token('a'))) { |ask| assert_equal [THERE] * 2, [ask[], ask[]] }
    assert_equal ['gate 0'], logged_in
  end

  def test_a_key_is_renewed_before_it_ends
    @server.keys = [old = token('a', left: 500), token('b')]
    chat({ 'MT_API_KEY' => old, **log_in(token('b')) }) do |ask|
      assert_equal [THERE, []], [ask[], logged_in]
      assert_equal THERE, ask['key.PAUSE_SECONDS = -1']
      assert_equal ['gate 0'], logged_in
      @server.keys = [token('b')]
      assert_equal THERE, ask[]
    end
    assert_equal 1, logged_in.size
  end

  def test_a_key_that_ends_soon_is_used_where_there_is_no_other
    @server.keys = [old = token('a', left: 500)]
    chat({ 'MT_API_KEY' => old, **log_in }) { |ask| assert_equal THERE, ask['key.PAUSE_SECONDS = -1'] }
    assert_equal 1, logged_in.size
  end

  def test_a_key_that_is_not_taken_any_more_is_renewed_once
    @server.keys = [token('b')]
    chat({ 'MT_API_KEY' => token('a'), **log_in(token('b')) }) do |ask|
      assert_equal [THERE] * 2, [ask[], ask[]]
      assert_equal 1, logged_in.size
      @server.keys = []
      assert_equal 'Banned.', ask[]
    end
  end

  def test_a_new_key_that_is_not_taken_either_is_said
    @server.keys = []
    chat({ 'MT_API_KEY' => token('a'), **log_in(token('b'), token('c')) }) do |ask|
      assert_equal 'The service does not let you in: Invalid API Key', ask[]
    end
    assert_equal 1, logged_in.size
  end

  def test_all_jobs_of_a_service_take_the_same_key
    other = ModelServer.new
    other.keys = @server.keys = [token('a')]
    chat(log_in(token('a')), servers: [@server, other]) do |ask|
      assert_equal THERE, ask[]
      @server.stop
      assert_equal THERE, ask[]
    end
    assert_equal ['gate 0', 'gate 1'], logged_in
  ensure
    other&.stop
  end
end
