# frozen_string_literal: true

require_relative 'helper'

# How the chat page asks a service, with one that never comes to an end.
class TestChatService < MultiTenantTest
  TEMPLATE = File.join(Tree::ROOT, 'apps-clients/multitenant-gradio/template')

  # It answers each connection with the bytes of its first argument, for ever.
  ASK = <<~PYTHON
    import socket, sys, threading
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
        print(service.Service({"OPENAI_BASE_URL": "http://127.0.0.1:%d/v1" % server.getsockname()[1]}).models())
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
end
