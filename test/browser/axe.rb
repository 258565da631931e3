# frozen_string_literal: true

require_relative 'page_server'

# What the page of a browser has that keeps people from using it, as axe-core finds it.
module Axe
  SCRIPT = File.join(PageServer::MODULES, 'axe-core/axe.min.js')
  SERIOUS = %w[serious critical].freeze

  # @param browser [Browser] with the page
  # @return [Array<Array(String, Array<String>)>] rule and HTML of the elements, of serious findings
  def self.findings(browser)
    browser.evaluate(File.read(SCRIPT))
    browser.evaluate('axe.run().then((done) => done.violations)')
           .select { |violation| SERIOUS.include?(violation['impact']) }
           .map { |violation| [violation['id'], violation['nodes'].map { |node| node['html'] }] }
  end
end
