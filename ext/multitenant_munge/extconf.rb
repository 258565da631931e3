# frozen_string_literal: true

# Builds multitenant-munge, the program that opens MUNGE credentials. Without libmunge it is not built, and
# credentials are not opened. Options: --with-munge-dir=DIR, --with-jansson-dir=DIR, --with-cflags=FLAGS,
# --with-ldflags=FLAGS. MT_WERROR=1 makes warnings errors (development).
require_relative '../program'

missing = [jansson_missing, munge_missing].compact
if missing.empty?
  write_makefile(__dir__, 'multitenant-munge', %w[reason.c])
else
  skip_program('multitenant-munge is therefore not built; services in MUNGE credentials will not be shown.',
               missing, %w[libmunge-dev munge-devel], '--with-munge-dir')
end
