# frozen_string_literal: true

require_relative '../rails/dashboard'

# An open sessions page.
class Page
  # @return [Array<Dashboard::Answer>] of each second
  attr_reader :answers

  def initialize(dashboard)
    @dashboard = dashboard
    @answers = []
    @mutex = Mutex.new
    @thread = Thread.new { ask until @closed }
  end

  def close
    @closed = true
    @thread.join
  end

  # Between two polls of the page. @return [Dashboard::Answer]
  def meanwhile
    @mutex.synchronize { yield @dashboard }
  end

  # @return [Hash] id => status, text of the view: what was shown last
  def cards
    @answers.last&.cards.to_h
  end

  def longest
    @answers.map(&:seconds).max
  end

  private

  def ask
    start = MultiTenant.clock
    @mutex.synchronize { @answers << @dashboard.poll }
    sleep [1 - (MultiTenant.clock - start), 0].max
  end
end
