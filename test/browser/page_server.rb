# frozen_string_literal: true

require 'socket'

# A page with cards as OOD 4.2 shows them, on a port of this host: its own styles, its CSP or none.
class PageServer
  # What OOD sends where csp_enabled is set.
  NONCE = 'bm9uY2U='
  CSP = "default-src 'self'; font-src 'self' data:; img-src 'self' data:; object-src 'none'; " \
        "script-src 'self' 'nonce-#{NONCE}'; style-src 'self'; connect-src 'self'".freeze
  SCRIPT = File.read(File.expand_path('../../lib/multitenant/dashboard/cards.js', __dir__))

  # Where script/setup put what the page is made of.
  LIBRARY = ENV.fetch('MULTITENANT_BROWSER') { "/var/tmp/multitenant-browser-#{Process.euid}" }
  MODULES = File.join(LIBRARY, 'node_modules')

  TYPES = { '' => 'text/html; charset=utf-8', '.css' => 'text/css', '.woff2' => 'font/woff2' }.freeze

  # What else it says of lines and labels.
  MORE = 'pre:not(#editor) { background-color: #f8f9fa !important; padding: .5rem !important } ' \
         'label { font-weight: bold }'

  # @return [Array<String>] paths that were asked for, since the last time
  attr_reader :asked
  # @return [Array<Array(String, String)>] path and body of each form that was sent
  attr_reader :sent
  attr_writer :cards, :csp, :theme
  # HTML that stands in the place of the cards.
  attr_writer :content

  # @param markdown [String] path of OOD's styles for views
  def initialize(markdown)
    icons = File.join(MODULES, '@fortawesome/fontawesome-free')
    @files = { '/bootstrap.css' => File.read(File.join(MODULES, 'bootstrap/dist/css/bootstrap.min.css')),
               '/css/icons.css' => File.read(File.join(icons, 'css/all.min.css')),
               '/webfonts/fa-solid-900.woff2' => File.binread(File.join(icons, 'webfonts/fa-solid-900.woff2')),
               '/markdown.css' => "#{File.read(markdown).gsub(%r{^\s*//.*}, '')}\n#{MORE}" }
    @asked = []
    @sent = []
    @cards = []
    @theme = 'light'
    @server = TCPServer.new('127.0.0.1', 0)
    @thread = Thread.new { loop { serve(@server.accept) } }
  end

  def url
    "http://127.0.0.1:#{@server.addr[1]}/"
  end

  # @return [Array<String>] paths of the page and of what it is made of
  def own
    ['/', *@files.keys]
  end

  # @return [String] HTML of the cards, which OOD's poll gets anew
  def list
    @cards.each_with_index.map { |(title, html), index| card(index, title, html) }.join
  end

  def stop
    @thread.kill.join
    @server.close
  end

  private

  def serve(client)
    method, path = client.gets.to_s.split
    return unless path # a browser that connects ahead of time

    head = client.each_line.take_while { |line| line != "\r\n" }.join
    @asked << path
    @sent << [path, client.read(head[/^content-length: (\d+)/i, 1].to_i)] if method == 'POST'
    type = TYPES.fetch(File.extname(path))
    body = path == '/' ? page : @files[path]
    head = ["HTTP/1.1 #{body ? '200 OK' : '404 Not Found'}", "Content-Type: #{type}",
            "Content-Length: #{body.to_s.bytesize}", 'Connection: close']
    head << "Content-Security-Policy: #{CSP}" if @csp
    client.write(head.join("\r\n"), "\r\n\r\n", body)
  rescue SystemCallError, IOError
    nil
  ensure
    client.close
  end

  def page
    <<~HTML
      <!DOCTYPE html>
      <html lang="en" data-bs-theme="#{@theme}"><head><title>My Interactive Sessions</title>
      <link rel="icon" href="data:,"><link rel="stylesheet" href="/bootstrap.css"><link rel="stylesheet" href="/markdown.css">
      <link rel="stylesheet" href="/css/icons.css"><script nonce="#{NONCE}">#{SCRIPT}</script>
      <meta name="viewport" content="width=device-width, initial-scale=1"></head>
      <body><div id="main_container" class="container-md content mt-4" role="main">
      #{@content || "<div id=\"batch_connect_sessions\">#{list}</div>"}
      </div></body></html>
    HTML
  end

  def card(index, title, html)
    <<~HTML
      <div id="id_#{index}" class="card session-panel mb-4"><div class="card-heading"><div class="h5 card-header overflow-auto alert alert-success">
      <a href="/new" class="alert-heading"><span class="card-text">#{title}</span></a> <span class="card-text"> (7)</span>
      </div></div><div class="card-body"><div><hr><div class="ood-appkit markdown">#{html}</div></div></div></div>
    HTML
  end
end
