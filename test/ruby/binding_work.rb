# frozen_string_literal: true

# Everything that the binding does: each of its functions, each kind of result and of error. Tests of memory have a Ruby
# of its own do it. Its standard input has, by Marshal, the texts of records, what munged said, the name of a job, and
# directories for cards and for keys.
require 'multitenant/multitenant'

STREAMS, OPENED, NAME, ROOT, KEYS = Marshal.load($stdin.binmode.read) # rubocop:disable Security/MarshalLoad -- the test's
CORE = { uid: 2001, gids: [2001, 3000], deliveries: ['sys/multitenant-delivery_*'], envelopes: %w[v1 munge key],
         publisher_in_group: true, one_directory: true, publishers: 'staff', node_domains: ['cluster.example'],
         dataroot: ROOT, per_cluster_dataroot: false, keys: KEYS,
         address: 'https://services.example/{user}/{service}@{group}/' }.freeze
RECORDS = MultiTenant::Records.new(STREAMS[0])
UUID = '00000004-0000-4000-8000-0123456789ab'

# Several rounds of one core. @return [Array] what was told in each
def looks(core)
  known = []
  STREAMS.map do |text|
    known = [text, "rubbish\n"].map { |one| MultiTenant::Records.new(one, known) }
    [round(core, known), of_records(known.dup), core.shares, core.specs, core.services, core.card_ids,
     core.deliver_writes, core.deliver(false), core.deliver(true), core.choose(0), core.addresses(known[0])]
  end
end

def round(core, records)
  core.gids = [2001, 3000]
  core.installed = ['sys/multitenant-delivery_default']
  told = core.read(records)
  told << core.begun << core.decide(told[0].map { |stream| [stream.cluster.dup, "o#{stream.cluster}"] }, OPENED, 0)
  core.installed = nil
  told << core.refused << core.delivery?('sys/multitenant-delivery_default') << core.delivery?("sys/x\0")
end

def of_records(all)
  later = all.map { |one| later(one) } + Array.new(3) { later(MultiTenant::Records.new(all[0].text.dup)) }
  later.flat_map { |one| one.of('hpc') + one.lines('hpc') + [one.bad_line, one.text, one.same?(all[0])] }
end

# The same at another time, whether anybody still has those of before or not.
def later(records)
  records.at(records.streams.map { |stream| stream.generated + 1 })
end

def work(core = MultiTenant::Core.new(CORE))
  out = looks(core)
  out << core.dismiss(UUID) << core.restore(UUID) << core.deliver_nothing(true) << core.deliver_nothing(false)
  out << native << errors(core) << run
end

def native
  own = MultiTenant::Native
  [own.open(13, 'prof', NAME), own.open(1, 'x', NAME), own.open(1, 'x', 'bash'), own.open(1, 'x', "l|g|#{'A' * 1024}"),
   own.keys(KEYS, 3000), own.keys(ROOT, 3000), own.group_of(NAME), own.label_of(NAME), own.group_of("\xff"),
   own.title?('Spanish 301'), own.title?("\u202e"), own.versions("#{KEYS}/3000\0/none/x\0x\0", nil)&.bytesize,
   own.versions("#{'/x' * 4096}\0", nil), own.versions("x\0", -1.0), own.reasons.size]
end

def run
  [['/bin/sh', '-c', 'cat; echo err >&2; exit 3'], ['/bin/sh', '-c', 'kill -9 $$'], ['/none']].map do |argv|
    MultiTenant::Native.run(argv, ['A=b'], 20, 'in').except(:seconds)
  end << MultiTenant::Native.run(['/bin/sleep', '60'], [], 0)[:status]
end

# What can't be taken, is of another kind, or comes at the wrong time.
def wrong(core)
  native = MultiTenant::Native
  other = ->(changes) { MultiTenant::Core.new(CORE.merge(changes)) }
  decide = ->(clusters) { core.read([RECORDS]) && core.decide(clusters, '', 0) }
  [-> { core.read([nil]) }, -> { core.decide([], '', 0) }, -> { decide[[['a', 5]]] }, -> { decide[[['a']]] },
   -> { decide[[nil]] }, -> { core.gids = ['x'] }, -> { core.installed = [5] }, -> { core.installed = ["a\0b"] },
   -> { core.delivery?(nil) }, -> { core.addresses(nil) }, -> { core.dismiss("a\0b") },
   -> { core.send(:initialize, CORE) }, -> { MultiTenant::Core.new({}) }, -> { MultiTenant::Core.allocate.shares },
   -> { other[gids: ['x']] }, -> { other[deliveries: ['a', nil]] }, -> { other[envelopes: [5]] },
   -> { other[dataroot: nil].deliver(false) }, -> { MultiTenant::Records.new(5) },
   -> { MultiTenant::Records.new('', [5]) }, -> { MultiTenant::Records.allocate.streams }, -> { RECORDS.at([]) },
   -> { RECORDS.at([nil] * RECORDS.streams.size) }, -> { RECORDS.send(:initialize, '') }, -> { RECORDS.of("a\0b") },
   -> { RECORDS.same?('') }, -> { native.open(1, 'u' * 300, '') }, -> { native.open(-1, 'u', 5) },
   -> { native.keys("a\0", 1) }, -> { native.versions(nil, nil) }, -> { native.title?("a\0") },
   -> { native.run([], [], 1) }, -> { native.run(['/bin/true', 5], [], 1) }, -> { native.run(['/bin/true'], [nil], 1) }]
end

def errors(core)
  wrong(core).map do |one|
    one.call
    'nothing'
  rescue StandardError => e
    e.class.name
  end
end

# C functions of the binding. @return [Array(Array<String>, Array<String>)] those that there are, and that were called
def functions(&block)
  owners = [MultiTenant::Core, MultiTenant::Records, MultiTenant::Native.singleton_class]
  all = owners.flat_map do |owner|
    names = owner.instance_methods(false) + owner.private_instance_methods(false) - %i[refused text] # are attributes
    names.map { |name| "#{owner}##{name}" }
  end
  called = []
  TracePoint.new(:c_call) { |call| called << "#{call.defined_class}##{call.method_id}" }.enable(&block)
  [all, called]
end
