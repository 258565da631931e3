# frozen_string_literal: true

# Builds multitenant-query, the program that asks Slurm, and installs it beside lib/multitenant.
require_relative '../program'

HELP = <<~TEXT
  ruby extconf.rb [OPTION...] && make     in any directory; or: gem install ood_multitenant -- [OPTION...]

    --with-slurm-dir=DIR       where Slurm is installed; or --with-slurm-include=DIR and --with-slurm-lib=DIR
    --with-jansson-dir=DIR     the same for jansson
    --with-cflags=FLAGS        added to the compiler's flags; --with-ldflags=FLAGS to the linker's
    MT_WERROR=1                (environment) warnings are errors, for development

  Without libslurm or jansson nothing is built and the gem installs all the same: a host may read the
  records of another.
TEXT
if arg_config('--help')
  puts HELP
  exit
end

OLDEST_SLURM = 0x160500 # 22.05
# From ../multitenant_names and ../multitenant.
OTHERS = %w[directory.c jobname.c look_ups.c member_line.c members.c record.c streams.c].freeze
USES_SLURM = %w[job_ids.c slurm_cluster.c slurm_jobs.c slurm_nodes.c].freeze

# Where Slurm is when it is not in a directory that the compiler looks into: beside its commands.
def slurm_guess
  command = ENV.fetch('PATH', '').split(File::PATH_SEPARATOR).map { |dir| File.join(dir, 'scontrol') }
               .find { |path| File.executable?(path) }
  prefixes = command ? [command, File.realpath(command)].map { |path| File.expand_path('../..', path) } : []
  prefixes.find { |prefix| prefix != '/usr' && File.file?(File.join(prefix, 'include/slurm/slurm.h')) }
end

# mkmf knows one name of a library's directory; Slurm installs to lib or lib64.
def add_slurm_directories(prefix)
  dir_config('slurm', prefix && File.join(prefix, 'include'), prefix && File.join(prefix, 'lib'))
  prefix = with_config('slurm-dir', prefix)
  return unless prefix.is_a?(String)

  $LIBPATH |= %w[lib lib64].map { |name| File.join(prefix, name) }.select { |dir| File.directory?(dir) }
end

# Each answers nil, or what is missing.
def slurm_missing
  add_slurm_directories(slurm_guess)
  pkg_config('slurm')
  return 'libslurm has no header slurm/slurmdb.h' unless have_header('slurm/slurmdb.h', 'slurm/slurm.h')

  version = try_constant('SLURM_VERSION_NUMBER', 'slurm/slurm.h')
  return 'libslurm is older than 22.05' unless version && version >= OLDEST_SLURM
  return 'libslurm cannot be linked' unless have_library('slurm', 'slurm_api_version()', 'slurm/slurm.h')

  call = 'slurmdb_jobs_get(slurmdb_connection_get(0), 0)'
  return 'libslurm has no slurmdb_jobs_get' unless have_func(call, %w[slurm/slurm.h slurm/slurmdb.h])

  "libslurm's API is not one of 22.05 to 26.05" unless checking_for('an API of 22.05 to 26.05') { known_slurm? }
end

# A release that changes the API must not keep the gem from being installed.
def known_slurm?
  flags = ['-D_GNU_SOURCE', '-std=gnu11', *INCLUDES.map { |dir| "-I#{__dir__}/#{dir}" }].join(' ')
  USES_SLURM.all? { |name| try_compile(%(#include "#{__dir__}/#{name}"), flags) }
end

missing = [slurm_missing, jansson_missing].compact
if missing.empty?
  have_library('dl', 'dlsym') # a part of libc since glibc 2.34
  write_makefile(__dir__, 'multitenant-query', OTHERS)
else
  skip_program('multitenant-query, which asks Slurm, is therefore not built; records of another host can be read.',
               missing, %w[libslurm-dev slurm-devel], '--with-slurm-dir')
end
