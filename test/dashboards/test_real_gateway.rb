# frozen_string_literal: true

require 'securerandom'
require 'uri'
require_relative '../ruby/sealing_v2'
require_relative 'real_test'

# The card of a service with a gateway. munged is a stand-in.
class TestRealGateway < RealTest
  DOOR = SecureRandom.urlsafe_base64(32).freeze
  NAME = 'sys/dashboard|students|MUNGE:AAA1:'

  def setup
    super
    @slurm.run(1)
    record = job(1, name: NAME, start: Time.now.to_i - 600)
    text = SealingV2.message({ **record, group: 'students' }, id: uuid(1), app: 'Ollama_API', method: 'card',
                                                              delivery: 'sys/multitenant-delivery_default', door: DOOR,
                                                              gate: 8443, conn: { **LLM, api_key: 'theirs' })
    opened = JSON.generate(payload: 'MUNGE:AAA1:', uid: 1001, gid_only: 3000, text: text)
    program_says('munge', <<~SH)
      read -r asked
      case $asked in {*) echo '{"credential":"MUNGE:a+b/c=:"}' ;; *) cat "$dir/opened" ;; esac
      echo '{"end":1}'
    SH
    File.write(File.join(@lib, 'multitenant/opened'), "#{opened}\n")
    slurm_says(fresh(record))
    start
    sessions(1)
  end

  # Whatever the page's own scripts do with forms.
  def test_its_button_posts_to_the_node_and_what_is_open_stays
    js(OPEN)
    refute_includes js('document.documentElement.outerHTML'), DOOR
    refute_includes cards_text, 'theirs'
    at_each_width('gateway') do |width|
      sessions(1, width)
      js(OPEN)
    end
    js('document.querySelector(".session-panel form button.btn-secondary").focus()')
    @browser.press('Enter', text: "\r")
    wait_until { log.any? { |line| line.start_with?('node: ') } }
    method, path, body = log.find { |line| line.start_with?('node: ') }.split.drop(1)
    assert_equal %w[POST /n1/8443/multitenant/login], [method, path]
    assert_equal({ 'credential' => 'MUNGE:a+b/c=:', 'base' => '/rnode/n1/8443/', 'show' => 'key' },
                 URI.decode_www_form(body).to_h)
    open = js(STANDS)['open']
    @browser.listen(25)
    assert_equal open, js(STANDS)['open']
  end
end
