# frozen_string_literal: true

require_relative 'helper'
require 'multitenant/proxy'

# The units that we ship, and those that an admin copies from the page on proxies: systemd itself finds nothing in them
# that it would not take.
class TestUnits < MultiTenantTest
  PAGE = File.read(File.join(Tree::ROOT, 'doc/proxy.md'), encoding: 'UTF-8')
  # By the order on the page; the first one adds to the agent's own.
  COPIED = %w[multitenant-agent.service.d/override.conf multitenant-haproxy.service multitenant-proxy.path
              multitenant-proxy.service].freeze

  def setup
    super
    skip_unless(system('which', 'systemd-analyze', out: File::NULL), 'needs the package systemd')
    shipped = Dir[File.join(Tree::ROOT, 'systemd/*.service')].to_h { |file| [File.basename(file), File.read(file)] }
    blocks = PAGE.scan(/^ *```ini\n(.*?)^ *```$/m).map { |(text)| text.gsub(/^ +/, '') }
    assert_equal COPIED.size, blocks.size
    @units = { **shipped, **COPIED.zip(blocks).to_h }
  end

  # @return [String] what systemd says of them
  def verify(units)
    units.each do |name, text|
      FileUtils.mkdir_p(File.dirname(File.join(temporary, name)))
      # What is not installed here.
      File.write(File.join(temporary, name), text.gsub('/usr/local/bin/multitenant-agent', '/bin/true'))
    end
    files = units.keys.reject { |name| name.end_with?('.conf') }.map { |name| File.join(temporary, name) }
    Open3.capture2e({ 'SYSTEMD_UNIT_PATH' => "#{temporary}:" }, 'systemd-analyze', 'verify', '--man=no', *files)[0]
         .lines.grep(/#{Regexp.escape(temporary)}|multitenant/).join
  end

  def test_systemd_takes_all_of_them
    assert_includes @units.keys, 'multitenant-tunnel@.service'
    assert_empty verify(@units)
  end

  # Within the quotes of Environment= systemd leaves the others, and the agent reads them as a shell does.
  def test_the_agent_takes_the_options_that_the_page_gives_it
    option, text = Shellwords.split(PAGE[/^ *Environment="MULTITENANT_AGENT_OPTIONS=([^"]*)"$/, 1])
    options = MultiTenant::Proxy::Keeper.parse(text)
    assert_equal ['--proxy', 'haproxy', true], [option, *options.values_at(:engine, :check)]
  end

  # Nothing else makes them, and an admin's own would be root's.
  def test_the_agent_has_the_directory_of_each_file_that_the_page_has_it_write
    made = PAGE.scan(%r{StateDirectory=([\w/ -]+)}).flat_map { |(names)| names.split }
    files = PAGE.scan(%r{--output\s+/var/lib/([\w./-]+)}).flatten
    assert_operator files.size, :>=, 3
    assert_empty files.map { |file| File.dirname(file) } - made
  end

  # A reload alone fails while it does not run, as before its first file, which then goes again.
  def test_whatever_tells_the_proxy_of_a_file_also_starts_it
    told = PAGE.scan(/systemctl\s+(\S*reload\S*)\s+multitenant-haproxy/).flatten
    assert_equal %w[reload-or-restart reload-or-restart], told
  end

  # Web hosts may share /etc/ood/config, which it reads once.
  def test_the_agent_waits_for_network_file_systems
    assert_match(/^After=.*\bremote-fs\.target\b/, @units.fetch('multitenant-agent.service'))
  end

  def test_it_would_say_what_it_does_not_take
    @units.each do |name, text|
      odd = text.sub(/^(\w+)=/, 'Odd\1=')
      assert_match(/Unknown key.*Odd/, verify({ **@units, name => odd }), name)
    end
    assert_match(/not executable/, verify({ 'multitenant-x.service' => "[Service]\nExecStart=/usr/bin/none\n" }))
  end
end
