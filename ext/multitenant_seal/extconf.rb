# frozen_string_literal: true

# Builds multitenant-seal, the program that seals with a group's key. Options: --with-openssl-dir=DIR,
# --with-zlib-dir=DIR, --with-jansson-dir=DIR, --with-cflags=FLAGS, --with-ldflags=FLAGS. MT_WERROR=1 makes
# warnings errors (development).
require_relative '../program'

# Of the core, what opening and sealing need, besides what the kit needs.
CORE = %w[base64 deflate envelope envelope_key envelope_munge envelope_v1 jobname keyring message message_v2
          opened policy address reason recipients status text].freeze

# The core needs them, too, and its extconf.rb says how to install them.
{ 'openssl' => %w[openssl/kdf.h crypto], 'zlib' => %w[zlib.h z],
  'jansson' => %w[jansson.h jansson] }.each do |name, (header, library)|
  dir_config(name)
  next if have_header(header) && have_library(library)

  abort "ood_multitenant: lib#{library} is missing; see #{File.expand_path('mkmf.log')} for what was tried."
end
write_makefile(__dir__, 'multitenant-seal', ['directory.c', *CORE.map { |noun| "#{noun}.c" }])
