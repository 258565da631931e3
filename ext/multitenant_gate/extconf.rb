# frozen_string_literal: true

# Builds multitenant-gate, which decides who may use a service. Without libmunge it is not built, and services have no
# gateway. Options: --with-munge-dir=DIR, --with-openssl-dir=DIR, --with-jansson-dir=DIR, --with-cflags=FLAGS,
# --with-ldflags=FLAGS. MT_WERROR=1 makes warnings errors (development).
require_relative '../program'

def openssl_missing
  dir_config('openssl')
  'libcrypto is missing' unless have_header('openssl/evp.h') && have_library('crypto')
end

missing = [jansson_missing, munge_missing, openssl_missing].compact
if missing.empty?
  write_makefile(__dir__, 'multitenant-gate', %w[base64.c digest.c directory.c status.c store.c])
else
  skip_program('multitenant-gate is therefore not built; services will have no gateway.',
               missing, ['libmunge-dev libssl-dev', 'munge-devel openssl-devel'], '--with-munge-dir')
end
