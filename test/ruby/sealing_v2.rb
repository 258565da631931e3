# frozen_string_literal: true

require 'json'
require 'openssl'
require 'zlib'

# The v2 message, its list of recipients and the key envelope, written once more in Ruby from
# doc/formats.md: known answers are made and checked with it, never with the core.
module SealingV2
  DIGITS = [*'A'..'Z', *'a'..'z', *'0'..'9', '-', '_'].join.freeze
  ESCAPE = 12

  module_function

  # @param uids [Array<Integer>] rising
  # @return [String] `to`
  def code(uids)
    return '' if uids.empty?

    counts = counts_of(uids)
    parameter = (0..31).min_by { |k| bits(counts, k).size }
    text = bits(counts, parameter)
    text += '1' * (-text.size % 6)
    DIGITS[parameter] + text.scan(/.{6}/).map { |six| DIGITS[six.to_i(2)] }.join
  end

  def counts_of(uids)
    [-1, *uids].each_cons(2).map { |before, uid| uid - before - 1 }
  end

  def bits(counts, parameter)
    counts.map do |count|
      ones, low = count.divmod(1 << parameter)
      next ('1' * ESCAPE) + format('%032b', count) if ones >= ESCAPE

      "#{'1' * ones}0#{format("%0#{parameter}b", low) if parameter.positive?}"
    end.join
  end

  # @param job [Hash] cluster, job_id, group, restarts
  # @return [String] the message
  def message(job, id:, app:, method:, delivery:, conn:, to: nil, title: nil, service: nil, until: nil, lead: nil,
              door: nil, gate: nil)
    JSON.generate({ v: 2, cluster: job[:cluster], job: job[:job_id], group: job[:group], restarts: job[:restarts],
                    id: id, app: app, title: title, method: method, delivery: delivery, service: service,
                    until: binding.local_variable_get(:until), lead: lead, door: door, gate: gate, to: to,
                    conn: conn }.compact)
  end

  # The key of one job. @param secret [String] 32 bytes @param job [Hash] cluster, job_id, uid
  def derived(secret, job)
    info = ['MTK1', job[:cluster], job[:job_id].to_s, job[:uid].to_s].join("\0")
    OpenSSL::KDF.hkdf(secret, salt: '', info: info, length: 32, hash: 'SHA256')
  end

  def deflate(text)
    Zlib::Deflate.new(9, -Zlib::MAX_WBITS).then { |stream| stream.deflate(text, Zlib::FINISH) }
  end

  # @param prefix [String] LABEL|GROUP|
  # @param key [Array(String, String)] key id in hexadecimal, 32 bytes
  # @param packed [String] instead of the compressed text
  # @return [String] the payload
  def seal_key(text, job, key:, nonce:, prefix:, packed: deflate(text))
    cipher = OpenSSL::Cipher.new('aes-256-gcm').encrypt
    cipher.key = derived(key[1], job)
    cipher.iv = nonce
    cipher.auth_data = "#{prefix}MTK1:"
    sealed = cipher.update(packed) + cipher.final
    base64url = [[key[0]].pack('H*') + nonce + sealed + cipher.auth_tag].pack('m0').tr('+/', '-_').delete('=')
    "MTK1:#{base64url}"
  end

  # @param name [String] a whole job name
  # @return [String] the message in it
  def open_key(name, job, secret:)
    start = name.index('MTK1:') + 5
    sealed = name[start..].tr('-_', '+/').then { |text| text + ('=' * (-text.size % 4)) }.unpack1('m0')
    cipher = OpenSSL::Cipher.new('aes-256-gcm').decrypt
    cipher.key = derived(secret, job)
    cipher.iv = sealed[4, 12]
    cipher.auth_tag = sealed[-16..]
    cipher.auth_data = name[0, start]
    Zlib::Inflate.new(-Zlib::MAX_WBITS).inflate(cipher.update(sealed[16...-16]) + cipher.final)
  end
end
