# frozen_string_literal: true

require 'date'
require_relative '../apps/gate_state'
require_relative '../apps/sharing'
require_relative '../apps/service_state'
require_relative '../card'
require_relative 'members'

module MultiTenant
  class Card
    # What a service app's view shows the service's owner: what tenants see of it, and how sharing it went.
    class Own < Card
      # @param values [#to_h] what the job wrote, as the view's binding has it
      def initialize(values)
        super(values, specs: {})
        @spec = shared_as
        @info = { 'title' => self['mt_title'], 'address' => @spec.to_h.dig('info', 'address').to_s }
                .reject { |_, text| text.empty? }
        @login = Login.of(@spec)
      end

      # Their own job said so.
      # @return [Boolean]
      def own_host?
        true
      end

      # @return [Integer] uid
      def publisher
        Process.uid
      end

      # @return [Boolean] whether forms offer it
      def offered?
        self['mt_shared'].match?(Sharing::SHARED)
      end

      # @return [Boolean] whether the sentence on sharing says who else reaches it
      def gateway_told?
        self['mt_shared'].match(Sharing::SHARED).to_a[1].to_s != ''
      end

      # @return [String] HTML of a button that opens the web application; a sentence where there is no address
      def web_button
        return '<p>The job named no address that a button could lead to: see output.log.</p>' unless web_path

        "<p>#{open_button('Open the application')}</p>"
      end

      # @param each [String] what each of the tenants has, as 'Each of them has a key'
      # @param more [String] behind what is the owner's own
      # @return [String] HTML that says how programs of theirs come past a gateway; '' where there is none
      def own_login(each, more = '')
        return '' if self['mt_gate_state'].empty?

        "<p>#{each} of their own, and so do you: <code>multitenant login</code> with the name of the service or the " \
          "number of this job, on the machine that runs Open OnDemand, prints yours#{more}.</p>"
      end

      private

      # @return [Hash, nil] as tenants have it
      def shared_as
        MultiTenant.specs.each_value.find do |spec|
          address? && spec['info']['uid'] == publisher.to_s &&
            %w[host port].all? { |key| spec.dig('connection', key) == self[key] }
        end
      end

      def web_apps?
        true
      end

      def from
        ''
      end

      def warning
        state = ServiceState.at(self['mt_state'])
        # A service keeps the state of a gateway that it had before.
        gate = state ? GateState.of(state) : GateState.at(self['mt_gate_state']) unless self['mt_gate_state'].empty?
        "#{Sharing.note(self['mt_shared'])}#{used(gate) if gate}#{Members.new(state, MultiTenant.specs).html if state}"
      end

      def used(gate)
        count, more = gate.users(Date.today.to_time.to_i)
        people = count == 1 ? '1 person has' : "#{count} people have"
        command = "multitenant tenants #{gate.name.delete_prefix('job ').shellescape}"
        "<p>#{'At least ' if more}#{text(people)} used it today: <code>#{text(command)}</code>, on the machine that " \
          'runs Open OnDemand, says who.</p>'
      end
    end
  end
end
