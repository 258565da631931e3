# frozen_string_literal: true

# Builds multitenant-names, the program that asks the name service. Options: --with-jansson-dir=DIR,
# --with-cflags=FLAGS, --with-ldflags=FLAGS. MT_WERROR=1 makes warnings errors (development).
require_relative '../program'

missing = jansson_missing
if missing
  abort "ood_multitenant: #{missing}: install libjansson-dev (Debian, Ubuntu) or jansson-devel (EL), or say " \
        "--with-jansson-dir=DIR. See #{File.expand_path('mkmf.log')} for what was tried."
end
write_makefile(__dir__, 'multitenant-names', %w[buf.c input.c])
