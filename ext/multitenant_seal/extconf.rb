# frozen_string_literal: true

# Builds multitenant-seal, the program that seals with a group's key. Options: --with-openssl-dir=DIR,
# --with-zlib-dir=DIR, --with-jansson-dir=DIR, --with-cflags=FLAGS, --with-ldflags=FLAGS. MT_WERROR=1 makes
# warnings errors (development).
require_relative '../program'

# Header, library, function, packages on Debian/Ubuntu and EL.
LIBRARIES = {
  'openssl' => ['openssl/kdf.h', 'crypto', 'EVP_PKEY_CTX_new_id', 'libssl-dev', 'openssl-devel'],
  'zlib' => ['zlib.h', 'z', 'deflate', 'zlib1g-dev', 'zlib-devel']
}.freeze

# Of the core, what opening and sealing need, besides what the kit needs.
CORE = %w[base64 buf deflate envelope envelope_key envelope_munge envelope_v1 inflate jobname keyring message
          message_v2 opened policy reason recipients status text].freeze

problems = LIBRARIES.filter_map do |name, (header, library, function, deb, rpm)|
  dir_config(name)
  next if have_header(header) && have_library(library, function, header)

  "lib#{library} is missing: install #{deb} (Debian, Ubuntu) or #{rpm} (EL), or say --with-#{name}-dir=DIR."
end
missing = jansson_missing
problems << "#{missing}: install libjansson-dev (Debian, Ubuntu) or jansson-devel (EL)." if missing
unless problems.empty?
  problems.each { |problem| warn "ood_multitenant: #{problem}" }
  abort "ood_multitenant: see #{File.expand_path('mkmf.log')} for what was tried."
end
write_makefile(__dir__, 'multitenant-seal', ['directory.c', 'input.c', *CORE.map { |noun| "#{noun}.c" }])
