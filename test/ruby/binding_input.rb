# frozen_string_literal: true

require_relative 'helper'
require_relative 'sealing_v2'

# What a test gives to binding_work.rb.
module BindingWork
  PATH = File.join(__dir__, 'binding_work.rb')
  DOOR = ['x' * 32].pack('m0').tr('+/', '-_').delete('=').freeze
  LABEL = 'sys/dashboard mt:spanish-301:openai:11434'
  MEMBER = { mt_service: 'spanish-301', mt_title: 'Spanish 301', mt_until: '1900000000', mt_lead: '5' }.freeze
  ALLOWED = { publisher_allowed: true }.freeze

  def streams
    jobs = (1..4).map { |id| job(id, connection: { host: "n#{id}", text: 'é' * 50 }, **ALLOWED) }
    odd = [job(7, message: { mti: uuid(1) }, uid: 1002, **ALLOWED), job(8, name: 'bash'), gated,
           job(9, name: "\u00ff|g|AAAA", binary: true), job(10, message: { mtm: 'form' }, **ALLOWED),
           job(11, name: 'l|g|MUNGE:AAAA:', **ALLOWED), job(12, name: "l|g|MTK1:#{'A' * 88}", **ALLOWED)]
    [stream(*jobs, *odd, *members, publishers: 'staff'), stream(*jobs.first(2), cluster: 'b', publishers: 'staff'),
     stream(*jobs.last(2), publishers: 'staff'), stream(jobs[0], whole: false)]
  end

  # Two jobs of a service that asks for an address.
  def members
    [13, 14].map do |id|
      job(id, connection: { host: 'n1', port: '1', **MEMBER }, end: 1_800_000_000, **ALLOWED)
        .then { |one| { **one, name: one[:name].sub(/\A[^|]*/) { LABEL } } }
    end
  end

  def gated
    job(15, name: 'l|students|MUNGE:BBBB:', **ALLOWED)
  end

  # That one of them was opened, and another one refused.
  def said
    parts = { id: uuid(15), app: 'App', method: 'card', delivery: 'sys/multitenant-delivery_default', door: DOOR,
              gate: 18_080, conn: { host: 'n1' } }
    text = SealingV2.message({ **gated, group: 'students' }, **parts)
    opened({ payload: 'MUNGE:AAAA:', reason: 'bad_cipher' },
           { payload: 'MUNGE:BBBB:', uid: 1001, gid_only: 3000, text: text })
  end

  # The group's, which only root can make.
  def keys
    dir = File.join(temporary, 'keys')
    path = File.join(dir, '3000')
    return dir if File.exist?(path)

    Dir.mkdir(dir)
    File.write(path, "a1b2c3d4 #{['x' * 32].pack('m0')} 1700000000\n", perm: 0o440)
    File.chown(0, 3000, path) if Process.euid.zero?
    dir
  end

  # @return [String] its standard input
  def work_input
    Marshal.dump([streams, said, members[0][:name], File.join(temporary, 'root'), keys])
  end
end
