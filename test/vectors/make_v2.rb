# frozen_string_literal: true

# Writes recipients.json, message_v2.json, service.json, gateway.json and key.json beside this file: known answers that
# do not come from the core. Run it after a change of a format: ruby test/vectors/make_v2.rb
require_relative '../ruby/sealing_v2'

SESSION = '0c3a8b1e-7d42-4c8e-9a51-2b6f0d9e8c11'
TOKEN = 'sys/multitenant-delivery_default'

def write(name, about, vectors, **more)
  lines = vectors.map { |vector| JSON.generate(vector, ascii_only: true) }
  head = { about: about, **more }.map { |key, value| "#{JSON.generate(key.to_s)}: #{JSON.generate(value)},\n" }.join
  File.write(File.join(__dir__, "#{name}.json"), "{#{head}\"vectors\": [\n#{lines.join(",\n")}\n]}\n")
end

# ---- recipients ----

def drawn(count, range, seed, first = 1000)
  random = Random.new(seed)
  (0...range).to_a.sample(count, random: random).sort.map { |n| n + first }
end

# Out of 2^31, without an array of them.
def far_apart(count, seed)
  random = Random.new(seed)
  uids = []
  uids |= [random.rand(1 << 31)] while uids.size < count
  uids.sort
end

LISTS = {
  'nobody' => [], 'root' => [0], 'one' => [1001], 'the last' => [4_294_967_295],
  'first and last' => [0, 4_294_967_295], 'a row from 0' => (0..20).to_a, 'a row' => (1000...1100).to_a,
  'every second' => (2000..2100).step(2).to_a, 'local and directory' => [1001, 1002, 1_234_500_001, 1_234_500_007],
  'just below the escape' => [*0..100, 112], 'at the escape' => [*0..100, 113],
  'the issue\'s 400 of 10000' => drawn(400, 10_000, 1), '250 of 100000' => drawn(250, 100_000, 2),
  '100 of 2^31' => far_apart(100, 3), 'as many as may be' => (5000...(5000 + 4096)).to_a
}.freeze

# Digits by hand: k = 4 ("E"); 1001 in escape; and what is not the one text of a list.
REFUSED = {
  'no digits but k' => 'A', 'k beyond 31' => 'gAAA', 'not a digit' => 'A=', 'a blank' => ' ',
  'standard base64' => 'E+/A', 'zeros to fill up' => 'Cs', 'an escape that is none' => 'A__AAAAAC_',
  'a newline at the end' => "#{SealingV2.code([1001])}\n", 'a digit more' => "#{SealingV2.code([1001])}A",
  'ones more' => "#{SealingV2.code([1001])}_", 'cut' => SealingV2.code([1001, 1002])[0..-2],
  'another k' => 'Df', 'over 32 bits' => nil, 'decimal' => '1001,1002',
  'one too many' => SealingV2.code((5000..(5000 + 4096)).to_a)
}.freeze

def beyond
  ones = '1' * 12
  bits = "#{ones}#{'1' * 32}#{ones}#{format('%032b', 100)}"
  bits += '1' * (-bits.size % 6)
  "A#{bits.scan(/.{6}/).map { |six| SealingV2::DIGITS[six.to_i(2)] }.join}"
end

write('recipients', 'Lists of recipients (doc/formats.md): text is the only text of uids; what is refused is none.',
      LISTS.map { |label, uids| { label: label, uids: uids, text: SealingV2.code(uids) } },
      refused: REFUSED.transform_values { |text| text || beyond })

# ---- message ----

JOB = { cluster: 'hpc', job_id: 4711, group: 'students', restarts: 0 }.freeze
PARTS = { id: SESSION, app: 'Ollama_API', method: 'card', delivery: TOKEN, conn: { host: 'n1', port: '5432' } }.freeze

def text(job: {}, drop: [], add: {}, **parts)
  whole = JSON.parse(SealingV2.message(JOB.merge(job), **PARTS, **parts))
  JSON.generate(whole.merge(add.transform_keys(&:to_s)).reject { |key, _| drop.include?(key.to_sym) })
end

SERVICE = { service: 'spanish-301', until: 1_795_315_062, lead: 15 }.freeze
DOOR = ['door of thirty-two bytes, no more'[0, 32]].pack('m0').tr('+/', '-_').delete('=').freeze
GATEWAY = { door: DOOR, gate: 18_080 }.freeze

GOOD = {
  'whole group' => [text, '*', PARTS[:conn]],
  'a list' => [text(to: SealingV2.code([1001, 2001])), '1001,2001', PARTS[:conn]],
  'nobody' => [text(to: ''), '', PARTS[:conn]],
  'no connection' => [text(conn: {}), '*', {}],
  'any text' => [text(conn: { a: "it's \"|\\ \u00fc \u{1f600}" }), '*', { a: "it's \"|\\ \u00fc \u{1f600}" }],
  'a title' => [text(title: "Spanish 301 \u00f1"), '*', PARTS[:conn], { title: "Spanish 301 \u00f1" }],
  'a service' => [text(**SERVICE), '*', PARTS[:conn], SERVICE],
  'a gateway' => [text(**GATEWAY), '*', PARTS[:conn], GATEWAY],
  'all keys' => [text(title: 'Spanish', to: '', **SERVICE, **GATEWAY), '', PARTS[:conn],
                 { title: 'Spanish', **SERVICE, **GATEWAY }],
  'another order' => [JSON.generate(JSON.parse(text).to_a.reverse.to_h), '*', PARTS[:conn]]
}.freeze

KEYS_THAT_MAY_BE = [*SERVICE.keys, *GATEWAY.keys].freeze

BAD = {
  'bad_message' => {
    'nothing' => '', 'no object' => '[]', 'v1' => "{'mtu':''}|{}", 'cut' => text[0..-2], 'a brace more' => "#{text}}",
    'a newline after it' => "#{text}\n", 'a blank before it' => " #{text}", 'two' => text * 2,
    'NUL after it' => "#{text}\0",
    'v 1' => text(add: { v: 1 }), 'v 3' => text(add: { v: 3 }), 'v as text' => text(add: { v: '2' }),
    'v 2.0' => text.sub('"v":2', '"v":2.0'), 'another key' => text(add: { gates: 'x' }),
    'a key twice' => text.sub('"v":2', '"v":2,"v":2'),
    **KEYS_THAT_MAY_BE.to_h { |key| ["#{key} twice", text(**SERVICE, **GATEWAY).sub(/"#{key}":[^,]*,/, '\0\0')] },
    **KEYS_THAT_MAY_BE.to_h { |key| ["#{key} null", text(**SERVICE, **GATEWAY, add: { key => nil })] },
    'a number over 64 bits' => text(**SERVICE).sub(/"until":\d*/, '"until":9223372036854775808'),
    'a key twice in conn' => text.sub('"host":"n1"', '"host":"n1","host":"n2"'),
    **%i[v cluster job group restarts id app method delivery conn].to_h { |key| ["without #{key}", text(drop: [key])] },
    'job as text' => text(add: { job: '4711' }), 'job below 0' => text(add: { job: -1 }),
    'job over 32 bits' => text(add: { job: 4_294_972_007 }), 'restarts null' => text(add: { restarts: nil }),
    'title no text' => text(add: { title: 301 }), 'title null' => text(add: { title: nil }),
    'NUL in title' => text(add: { title: "a\0" }),
    'id no text' => text(add: { id: 1 }), 'NUL in app' => text(add: { app: "a\0" }),
    'group a list' => text(add: { group: ['students'] }),
    'to a list' => text(add: { to: [1001] }), 'to decimal' => text(to: '1001,1002'),
    'to null' => text(add: { to: nil }),
    'to for all' => text(to: '*'), 'conn a list' => text(conn: []), 'conn text' => text(conn: 'n1'),
    'number in conn' => text(conn: { port: 5432 }), 'null in conn' => text(conn: { port: nil }),
    'object in conn' => text(conn: { a: {} }), 'truth in conn' => text(conn: { a: true }),
    'single quotes' => text.tr('"', "'")
  },
  'wrong_job' => {
    'another job' => text(job: { job_id: 4712 }), 'another cluster' => text(job: { cluster: 'hpc2' }),
    'the cluster\'s beginning' => text(job: { cluster: 'hp' }), 'another group' => text(job: { group: 'staff' }),
    'the group\'s beginning' => text(job: { group: 'student' }), 'a longer group' => text(job: { group: 'students2' }),
    'another job and run' => text(job: { job_id: 4712, restarts: 1 })
  },
  'stale' => { 'a later run' => text(job: { restarts: 1 }), 'the last run' => text(job: { restarts: 4_294_967_295 }) }
}.freeze

write('message_v2', 'v2 messages for job 4711 of cluster hpc and group students, not restarted: what they open ' \
                    'to, or the reason that they do not (doc/formats.md).',
      GOOD.map do |label, (text, mtu, conn, more)|
        { label: label, text: text, reason: 'ok', mtu: mtu, connection: conn, **more.to_h }
      end +
      BAD.flat_map { |reason, texts| texts.map { |label, text| { label: label, text: text, reason: reason } } })

# ---- service, until, lead ----

# What a v2 message has, and the reason that readers give; of a v1 message, where another one.
KEYS_OF_SERVICES = {
  'a name' => [{ service: 'spanish' }, 'ok'], 'a digit' => [{ service: '7' }, 'ok'],
  'all that may be' => [{ service: 'az09-' }, 'ok'], 'the longest' => [{ service: 'a' * 63 }, 'ok'],
  'a character more' => [{ service: 'a' * 64 }, 'bad_service'], 'empty' => [{ service: '' }, 'bad_service'],
  'a capital' => [{ service: 'Spanish' }, 'bad_service'], 'a dash first' => [{ service: '-spanish' }, 'bad_service'],
  'a dot' => [{ service: '..' }, 'bad_service'], 'a slash' => [{ service: 'a/b' }, 'bad_service'],
  'a blank' => [{ service: 'a ' }, 'bad_service'], 'a newline' => [{ service: "a\n" }, 'bad_service'],
  'an at' => [{ service: 'a@b' }, 'bad_service'], 'a percent' => [{ service: 'a%2f' }, 'bad_service'],
  'markup' => [{ service: '<b>' }, 'bad_service'],
  'a letter of Latin 1' => [{ service: "espa\u00f1ol" }, 'bad_service'],
  'a digit of another script' => [{ service: "a\u0661" }, 'bad_service'],
  'full width' => [{ service: "\uff41" }, 'bad_service'], 'invisible' => [{ service: "a\u200bb" }, 'bad_service'],
  'beyond 16 bits' => [{ service: "\u{1f600}" }, 'bad_service'], 'NUL' => [{ service: "a\0" }, 'bad_message'],
  'a name that is a number' => [{ service: 301 }, 'bad_message', 'ok'],
  'a name that is true' => [{ service: true }, 'bad_message', 'ok'],
  'names' => [{ service: ['a'] }, 'bad_message'],
  'an end' => [{ service: 'a', until: 2_000_000_000 }, 'ok'],
  'an end in the past' => [{ service: 'a', until: 1_700_000_000 }, 'ok'],
  'an end beyond 32 bits' => [{ service: 'a', until: 4_294_967_296 }, 'ok'],
  'the last end' => [{ service: 'a', until: 253_402_300_799 }, 'ok'],
  'a second later' => [{ service: 'a', until: 253_402_300_800 }, 'bad_service'],
  'the last number' => [{ service: 'a', until: 9_223_372_036_854_775_807 }, 'bad_service'],
  'an end of 0' => [{ service: 'a', until: 0 }, 'bad_service'],
  'an end below 0' => [{ service: 'a', until: -1 }, 'bad_service'],
  'the first number' => [{ service: 'a', until: -9_223_372_036_854_775_808 }, 'bad_service'],
  'an end in parts' => [{ service: 'a', until: 2_000_000_000.5 }, 'bad_message'],
  'an end as text' => [{ service: 'a', until: '2000000000' }, 'bad_message', 'ok'],
  'an end over 64 bits as text' => [{ service: 'a', until: '18446744073709551617' }, 'bad_message', 'bad_service'],
  'an end with a sign' => [{ service: 'a', until: '+2000000000' }, 'bad_message', 'bad_service'],
  'an end with a blank' => [{ service: 'a', until: ' 2000000000' }, 'bad_message', 'bad_service'],
  'an end in hexadecimal' => [{ service: 'a', until: '0x77359400' }, 'bad_message', 'bad_service'],
  'an end with a zero first' => [{ service: 'a', until: '02000000000' }, 'bad_message', 'bad_service'],
  'an empty end' => [{ service: 'a', until: '' }, 'bad_message', 'bad_service'],
  'a date' => [{ service: 'a', until: '2027-01-31' }, 'bad_message', 'bad_service'],
  'a minute' => [{ service: 'a', lead: 1 }, 'ok'], 'a day' => [{ service: 'a', lead: 1440 }, 'ok'],
  'no lead' => [{ service: 'a', lead: 0 }, 'bad_service'],
  'more than a day' => [{ service: 'a', lead: 1441 }, 'bad_service'],
  'a lead below 0' => [{ service: 'a', lead: -10 }, 'bad_service'],
  'a lead beyond 32 bits' => [{ service: 'a', lead: 4_294_967_306 }, 'bad_service'],
  'a lead in parts' => [{ service: 'a', lead: 1.5 }, 'bad_message'],
  'a lead with a point' => [{ service: 'a', lead: '1.5' }, 'bad_message', 'bad_service'],
  'a lead as text' => [{ service: 'a', lead: '10' }, 'bad_message', 'ok'],
  'a lead that is a list' => [{ service: 'a', lead: [10] }, 'bad_message']
}.freeze

write('service', 'service, until and lead of messages: the reason that a reader gives, for v1 (mt_service, mt_until, ' \
                 'mt_lead in the connection) another one where it stands there. Senders refuse what is not ok in ' \
                 'v1, and an end in the past.',
      KEYS_OF_SERVICES.map do |label, (keys, reason, v1)|
        { label: label, keys: keys, reason: reason, reason_v1: v1 || reason }
      end)

# ---- door, gate ----

GATEWAYS = {
  'a gateway' => [GATEWAY, 'ok'], 'all bits' => [{ door: "#{'_' * 42}8", gate: 1024 }, 'ok'],
  'no bit' => [{ door: 'A' * 43, gate: 65_535 }, 'ok'],
  'a door alone' => [{ door: DOOR }, 'bad_service'], 'a gate alone' => [{ gate: 18_080 }, 'bad_service'],
  'a port of the system' => [{ door: DOOR, gate: 1023 }, 'bad_service'],
  'a port of 17 bits' => [{ door: DOOR, gate: 65_536 }, 'bad_service'],
  'a port beyond 32 bits' => [{ door: DOOR, gate: 4_294_985_376 }, 'bad_service'],
  'port 0' => [{ door: DOOR, gate: 0 }, 'bad_service'], 'port 0 alone' => [{ gate: 0 }, 'bad_service'],
  'a port below 0' => [{ door: DOOR, gate: -18_080 }, 'bad_service'],
  'a port as text' => [{ door: DOOR, gate: '18080' }, 'bad_message'],
  'a port in parts' => [{ door: DOOR, gate: 18_080.5 }, 'bad_message'],
  'a port that is true' => [{ door: DOOR, gate: true }, 'bad_message'],
  'ports' => [{ door: DOOR, gate: [18_080] }, 'bad_message'],
  'an empty door' => [{ door: '', gate: 18_080 }, 'bad_service'],
  'a digit less' => [{ door: DOOR[0..-2], gate: 18_080 }, 'bad_service'],
  'a digit more' => [{ door: "#{DOOR}A", gate: 18_080 }, 'bad_service'],
  'bits left over' => [{ door: "#{'A' * 42}B", gate: 18_080 }, 'bad_service'],
  'padded' => [{ door: "#{'A' * 43}=", gate: 18_080 }, 'bad_service'],
  'of base64' => [{ door: "+#{'A' * 42}", gate: 18_080 }, 'bad_service'],
  'a slash' => [{ door: "/#{'A' * 42}", gate: 18_080 }, 'bad_service'],
  'a newline after it' => [{ door: "#{DOOR}\n", gate: 18_080 }, 'bad_service'],
  'a newline for a digit' => [{ door: "#{DOOR[0..-2]}\n", gate: 18_080 }, 'bad_service'],
  'a header' => [{ door: "\r\nX: #{'A' * 38}", gate: 18_080 }, 'bad_service'],
  'markup in it' => [{ door: "<b>#{'A' * 40}", gate: 18_080 }, 'bad_service'],
  'a letter of two bytes' => [{ door: "\u00e9#{'A' * 41}", gate: 18_080 }, 'bad_service'],
  'a kilobyte' => [{ door: 'A' * 1024, gate: 18_080 }, 'bad_service'],
  'NUL' => [{ door: "#{DOOR}\0", gate: 18_080 }, 'bad_message'],
  'a number' => [{ door: 301, gate: 18_080 }, 'bad_message'],
  'doors' => [{ door: [DOOR], gate: 18_080 }, 'bad_message']
}.freeze

write('gateway', 'door and gate of v2 messages: the reason that a reader gives. Senders refuse what is not ok.',
      GATEWAYS.map { |label, (keys, reason)| { label: label, keys: keys, reason: reason } })

# ---- key ----

KEYS = [['a1b2c3d4', (0..31).map(&:chr).join.b], ['00ff00ff', ("\xff".b * 32)]].freeze
RING = KEYS.each_with_index.map { |(id, key), i| "#{id} #{[key].pack('m0')} #{1_700_000_000 - i}\n" }.join

def sealed(label, key: KEYS[0], uid: 1001, prefix: nil, nonce: 'nonce-12byte', more: {}, **job)
  job = JOB.merge(job, uid: uid)
  prefix ||= "sys/dashboard|#{job[:group]}|"
  text = SealingV2.message(job, **PARTS, **more)
  { label: label, **job, nonce: nonce.unpack1('H*'), keyid: key[0], message: text,
    job_name: prefix + SealingV2.seal_key(text, job, key: key, nonce: nonce, prefix: prefix) }
end

# Compressed otherwise than it should be: JOB's, of uid 1001.
def hostile(label, reason, packed)
  prefix = 'sys/dashboard|students|'
  payload = SealingV2.seal_key(nil, { **JOB, uid: 1001 }, key: KEYS[0], nonce: 'twelve bytes', prefix: prefix,
                                                          packed: packed)
  { label: label, reason: reason, job_name: prefix + payload }
end

HOSTILE = [
  hostile('as it is', 'bad_gzip', text), hostile('gzip', 'bad_gzip', Zlib.gzip(text)),
  hostile('zlib', 'bad_gzip', Zlib.deflate(text)), hostile('cut', 'bad_gzip', SealingV2.deflate(text)[0..-2]),
  hostile('a byte more', 'bad_gzip', "#{SealingV2.deflate(text)}\0"), hostile('one byte', 'bad_gzip', 'x'),
  hostile('exactly 64 KiB', 'bad_message', SealingV2.deflate('x' * 65_536)),
  hostile('a byte over 64 KiB', 'too_large', SealingV2.deflate('x' * 65_537)),
  hostile('half a MiB', 'too_large', SealingV2.deflate('x' * 524_288))
].freeze

write('key', 'The key envelope: with the lines of keys as the group\'s key file, each job_name opens to message.',
      [sealed('newest key'), sealed('older key', key: KEYS[1]), sealed('restarted', restarts: 3),
       sealed('no label', prefix: '|students|'),
       sealed('a label of many bytes', prefix: "\u00fc#{'x' * 200}|students|"),
       sealed('the highest numbers', job_id: 4_294_967_295, uid: 4_294_967_295, nonce: "\xff".b * 12),
       sealed('a list', more: { to: SealingV2.code(LISTS['the issue\'s 400 of 10000']) }),
       sealed('a gateway', more: GATEWAY)], keys: RING, hostile: HOSTILE)

# ---- members ----

# The same three jobs for viewers of all sizes of uids, and a cluster more for some.
COPIES = [['hpc', 4711], ['gpu', 4712], ['big', 4_294_967_295]].freeze
VIEWERS = [0, 1, 1000, 1001, 2001, 2002, 2003, 65_534, 100_000, 999_999, 1_234_500_001, 1_234_500_002, 2_147_483_647,
           2_147_483_648, 4_294_967_294, 20_001, 20_002, 20_003, 20_004, 20_005].freeze

def weighed(uid)
  weights = COPIES.to_h { |copy| [copy, OpenSSL::Digest.hexdigest('SHA256', [uid, *copy].map { |t| "#{t}\0" }.join)] }
  weights.map do |copy, weight|
    { cluster: copy[0], job: copy[1], sha256: weight, chosen: weight == weights.values.max }
  end
end

write('members', 'Which member of a service a viewer is sent to: the one whose SHA-256 of uid, cluster and job, each ' \
                 'in decimal or as it is and with a NUL behind it, is the largest.',
      VIEWERS.map { |uid| { uid: uid, members: weighed(uid) } })
