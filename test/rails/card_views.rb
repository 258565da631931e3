# frozen_string_literal: true

# Renders the delivery apps' views in a dashboard, as OOD does: ERB with the connection's binding, then Markdown.
module CardViews
  # What hostile publishers share.
  module Corpus
    # @return [Array<String>]
    def corpus(name)
      JSON.parse(File.read(File.join(__dir__, "corpus/#{name}.json")))
    end
  end

  APPS = File.expand_path('../../apps-delivery', __dir__)
  SERVICES = File.expand_path('../../apps-services', __dir__)
  CLIENTS = File.expand_path('../../apps-clients', __dir__)

  # Runs in the dashboard. What comes out is read by the parser that browsers have, too.
  RENDER = <<~RUBY
    tree = lambda do |node|
      next node.text if node.text?
      next [node.class.name, {}, [node.text]] unless node.element?
      [node.name, node.attribute_nodes.to_h { |attribute| [attribute.name, attribute.value] }, node.children.map(&tree)]
    end
    JSON.parse(File.read(%s)).map do |file, connection, specs|
      MultiTenant.singleton_class.define_method(:specs) { specs } if specs
      MultiTenant::Card::Budget.new_page if %s && defined?(MultiTenant::Card)
      view = File.read(file)
      connect = OpenStruct.new(YAML.safe_load(JSON.generate(connection)))
      source = ERB.new(view, trim_mode: '-').result(connect.instance_eval { binding })
      html = OodAppkit.markdown.render(source).html_safe
      fragment = Nokogiri::HTML5.fragment(html)
      { source: source, html: html, text: fragment.text, tree: fragment.children.map(&tree) }
    end
  RUBY

  # Installs the delivery apps, as they are.
  def deliveries
    Dir.glob(File.join(APPS, '*')).each do |app|
      files = Dir.children(app).to_h { |name| [name, File.read(File.join(app, name))] }
      @site.app(File.basename(app), files)
    end
  end

  # @param asked [Array<Array>] delivery app, what was shared; whether there are specs, or changes to their info; what
  #   they hold where it is something else
  # @param one_page [Boolean] the cards stand on one
  # @return [Array<Hash>] source, html, text, tree
  def cards(asked, one_page: false)
    questions = asked.map do |app, connection, specs, known|
      info = { 'user' => 'prof', 'uid' => '1001', 'end' => '0', 'host' => connection['host'] }
      info.update(specs) if specs.is_a?(Hash)
      connection = connection.merge('jobid' => '7')
      gate = info.delete('gate')
      spec = { 'info' => info, 'accounting' => {}, 'connection' => known || connection, 'gate' => gate }.compact
      specs = { '7' => spec } if specs
      [File.join(APPS, "multitenant-delivery_#{app}/view.html.erb"), connection, specs == false ? {} : specs]
    end
    views(questions, one_page: one_page)
  end

  # Those that owners of services have.
  # @param asked [Array<Array(String, Hash)>] service app, what its job wrote
  # @param specs [Hash, nil]
  # @return [Array<Hash>] as {#cards}
  def own_cards(asked, specs: nil)
    views(asked.map { |app, values| [File.join(SERVICES, "multitenant-#{app}/view.html.erb"), values, specs] })
  end

  # @param questions [Array<Array(String, Hash, Hash)>] path of a view, what its names are, specs or nil
  # @return [Array<Hash>] as {#cards}
  def views(questions, one_page: false)
    path = File.join(temporary, 'questions')
    File.write(path, JSON.generate(questions))
    @dashboard.ruby(format(RENDER, path.inspect, !one_page))
  end

  # @return [Array] elements and attributes without any text
  def skeleton(tree)
    tree.grep(Array).map { |name, attributes, children| [name, attributes, skeleton(children)] }
  end

  # @return [Array<String>] texts of the `bdi` in elements of that name
  def texts(tree, within, inside: false)
    tree.grep(Array).flat_map do |name, _, children|
      here = inside || name == within
      next [content(children)] if here && name == 'bdi'

      name == 'summary' ? [] : texts(children, within, inside: here)
    end
  end

  # @return [Array<String>] texts that are not in elements of that name
  def texts_outside(tree, name)
    tree.flat_map do |node|
      next [node] if node.is_a?(String)

      node[0] == name ? [] : texts_outside(node[2], name)
    end
  end

  # @return [Array<String>] where links lead
  def links(tree)
    elements(tree).filter_map { |name, attributes| attributes['href'] if name == 'a' }
  end

  # @return [Array] name and attributes of all elements
  def elements(tree)
    tree.grep(Array).flat_map { |name, attributes, children| [[name, attributes], *elements(children)] }
  end

  def content(tree)
    tree.map { |node| node.is_a?(String) ? node : content(node[2]) }.join
  end
end
