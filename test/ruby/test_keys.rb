# frozen_string_literal: true

require_relative 'helper'
require 'erb'
require 'ostruct'

# Connection keys: OOD makes each a method of an OpenStruct, in whose binding the app's view is
# evaluated. A key that breaks that costs the publisher their card, and no viewer the page.
class TestKeys < MultiTenantTest
  def accepted?(key)
    code = codes_of(job(1, connection: { key => 'v' }))[0]
    assert_includes %w[ok bad_connection_key], code, key
    code == 'ok'
  end

  # As OOD: connections/_custom.html.erb and session.rb#connect; and with what is there in our place of that.
  # @return [Array<String>]
  def render(connection, view)
    [OpenStruct, MultiTenant::Dashboard::Connection].map do |kind|
      ERB.new(view, trim_mode: '-').result(kind.new(connection).instance_eval { binding })
    end
  end

  METHODS = (OpenStruct.instance_methods + OpenStruct.private_instance_methods).map(&:to_s).uniq

  def test_a_view_works_with_every_accepted_key_that_is_a_method_already
    accepted = METHODS.grep(/\A[A-Za-z_]\w{0,63}\z/).select { |name| accepted?(name) }
    assert_operator accepted.size, :>, 100
    accepted.each do |name|
      # Ruby warns of some of these names; OOD's log is not ours.
      shown = silently { render({ 'host' => 'n1', name => 'v' }, "<%= host %> <%= self.#{name} %>") }
      assert_equal ['n1 v'] * 2, shown, name
    end
  end

  # What a view may ask of it.
  QUESTIONS = <<~ERB.delete("\n")
    <%= self[:host] %> <%= absent.inspect %> <%= to_h %> <%= respond_to?(:host) %> <%= respond_to?(:absent) %>
     <%= defined?(host) %> <%= defined?(absent).inspect %> <%= self == OpenStruct.new(to_h) %> <%= dig('host') %> <%= each_pair.to_a %>
  ERB

  def test_a_shared_cards_connection_is_to_a_view_as_open_ondemands_own
    ood, ours = render({ 'host' => 'n1', 'port' => '1' }, QUESTIONS)
    assert_match(/\An1 nil .*true false method nil true n1/, ood)
    assert_equal ood, ours
  end

  # Ruby keeps the names of methods for good: publishers may share under others in every round.
  def test_names_of_keys_are_not_kept_for_good
    before = symbols
    100.times { |i| MultiTenant::Dashboard::Connection.new((1..50).to_h { |n| ["key_#{i}_#{n}", 'v'] }).host }
    assert_operator symbols, :<, before + 500
  end

  # @return [Integer]
  def symbols
    3.times { GC.start }
    Symbol.all_symbols.size
  end

  RESERVED = %w[jobid mt_appname view connect session local_assigns output_buffer binding instance_eval instance_exec
                eval to_h each_pair initialize singleton_method_added define_singleton_method method_missing
                respond_to_missing object_id __id__ __send__ require raise lambda proc Array Float Hash Integer
                String].freeze

  def test_reserved_keys
    assert_empty(RESERVED.select { |name| accepted?(name) })
  end

  def test_names_of_everyday_are_accepted
    assert_empty(%w[host port password user database url class id name type format display method hash test system
                    ollama_url OLLAMA_HOST _x x9].reject { |name| accepted?(name) })
  end

  def test_what_is_no_name
    ['', '9a', 'a-b', 'a.b', 'a b', 'a?', 'a=', 'é', '$a', '@a', 'a:', 'a/b', '<b>', 'x' * 65].each do |name|
      refute accepted?(name), name
    end
    assert accepted?('x' * 64)
  end
end
