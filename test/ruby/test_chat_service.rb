# frozen_string_literal: true

require_relative 'helper'

# How the chat page asks a service, with one that never comes to an end, and one that has more to say than is of use.
class TestChatService < MultiTenantTest
  TEMPLATE = File.join(Tree::ROOT, 'apps-clients/multitenant-gradio/template')

  # It answers each connection with the bytes of its first argument, for ever.
  ASK = <<~PYTHON
    import json, socket, sys, threading
    sys.path.insert(0, sys.argv[2])
    import service

    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            with server.accept()[0] as client:
                client.recv(9999)
                try:
                    while True:
                        client.sendall(sys.argv[1].encode())
                except OSError:
                    pass

    threading.Thread(target=serve, daemon=True).start()
    service.LIST_SECONDS = 1
    try:
        url = "http://127.0.0.1:%d/v1" % server.getsockname()[1]
        print(json.dumps(service.Service({"OPENAI_BASE_URL": url, "MT_MODEL": "m1200"}).models()))
    except service.ServiceError as error:
        print(error)
  PYTHON

  def test_a_service_that_never_comes_to_its_answer_is_given_up
    ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n" * 1000].each do |said|
      done = run_as(nil, 'timeout', '60', 'python3', '-B', '-c', ASK, said, TEMPLATE)
      assert_equal [0, ''], [done.code, done.err]
      assert_match(/\AThe service does not answer/, done.out)
    end
  end

  # A browser takes seconds for sixty thousand, and minutes for one of as many marks on a letter.
  def test_of_many_models_and_long_names_the_page_gets_some
    long = 'x' * 501
    names = [long, *(1..1200).map { |number| "m#{number}" }]
    { names => [names[1..1000] + %w[m1200], 'm1200'],
      [long, 'y' * 500] => [['y' * 500], 'y' * 500] }.each do |all, some|
      assert_equal [{}, *some], JSON.parse(listed(all))
    end
    assert_equal "The names of the service's models are too long.\n", listed([long])
  end

  def listed(names)
    body = JSON.generate(data: names.map { |name| { id: name } })
    said = "HTTP/1.1 200 OK\r\nContent-Length: #{body.bytesize}\r\n\r\n#{body}"
    run_as(nil, 'timeout', '60', 'python3', '-B', '-c', ASK, said, TEMPLATE).out
  end
end
