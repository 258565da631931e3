# frozen_string_literal: true

# Builds multitenant-munge, the program that opens MUNGE credentials. Without libmunge it is not built, and
# credentials are not opened. Options: --with-munge-dir=DIR, --with-jansson-dir=DIR, --with-cflags=FLAGS,
# --with-ldflags=FLAGS. MT_WERROR=1 makes warnings errors (development).
require_relative '../program'

def munge_missing
  dir_config('munge')
  return 'libmunge has no header munge.h' unless have_header('munge.h')

  'libmunge cannot be linked' unless have_library('munge', 'munge_ctx_create()', 'munge.h')
end

missing = [jansson_missing, munge_missing].compact
if missing.empty?
  write_makefile(__dir__, 'multitenant-munge', %w[buf.c input.c])
else
  missing.each { |what| warn "ood_multitenant: #{what}." }
  warn <<~TEXT
    ood_multitenant: multitenant-munge is therefore not built; services in MUNGE credentials will not be shown.
      Debian, Ubuntu: apt install libmunge-dev libjansson-dev
      EL:             dnf install munge-devel jansson-devel
      tried:          #{File.expand_path('mkmf.log')} (gem install moves it to the gem's extensions directory)
  TEXT
  write_empty_makefile
end
