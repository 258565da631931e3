# frozen_string_literal: true

# Builds multitenant-names, the program that asks the name service. Options: --with-jansson-dir=DIR,
# --with-cflags=FLAGS, --with-ldflags=FLAGS. MT_WERROR=1 makes warnings errors (development).
require_relative '../program'

missing = jansson_missing
abort "ood_multitenant: #{missing}; see #{File.expand_path('mkmf.log')} for what was tried." if missing
write_makefile(__dir__, 'multitenant-names')
