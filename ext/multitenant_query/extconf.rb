# frozen_string_literal: true

# Builds multitenant-query, the program that asks Slurm, and installs it beside lib/multitenant.
require 'mkmf'

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

PROGRAM = 'multitenant-query'
OLDEST_SLURM = 0x160500 # 22.05
CORE = %w[jobname.c].freeze # from ../multitenant
CORE_HEADERS = %w[attr.h jobname.h mt_limits.h].freeze
USES_SLURM = %w[slurm_cluster.c slurm_jobs.c].freeze

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
  USES_SLURM.all? { |name| try_compile(%(#include "#{__dir__}/#{name}"), "-D_GNU_SOURCE -std=gnu11 #{own_includes}") }
end

def own_includes(srcdir = __dir__)
  "-I#{srcdir} -I#{srcdir}/../multitenant"
end

def jansson_missing
  dir_config('jansson')
  return 'jansson has no header jansson.h' unless have_header('jansson.h')
  return 'jansson cannot be linked' unless have_library('jansson', 'json_object()', 'jansson.h')

  'jansson is older than 2.7' unless have_func('json_stringn("", 0)', 'jansson.h')
end

# Directories outside of the loader's own have to be named in the program.
def runtime_paths
  named = $LIBPATH + $LDFLAGS.scan(/-L(\S+)/).flatten
  usual = %r{\A(\.|\$.*|/usr/lib(64)?(/[^/]*-linux-[^/]*)?|/lib(64)?)\z}
  named.uniq.grep_v(usual).select { |dir| File.directory?(dir) }
end

def compiler_flags
  flags = %w[-std=gnu11 -O2 -g -pthread -fPIE -Wall -Wextra]
  flags += %w[-Wconversion -Wshadow -Wformat=2 -Werror] if ENV['MT_WERROR'] == '1'
  flags += %w[-fstack-protector-strong -fcf-protection].select { |flag| try_cflags(flag) }
  [*flags, ENV.fetch('CFLAGS', nil), with_config('cflags')].compact.join(' ')
end

def linker_flags
  flags = %w[-pie -Wl,-z,relro -Wl,-z,now].select { |flag| try_ldflags(flag) }
  paths = runtime_paths.flat_map { |dir| ["-L#{dir}", "-Wl,-rpath,#{dir}"] }
  ['-pthread', *flags, *paths, ENV.fetch('LDFLAGS', nil), with_config('ldflags')].compact.join(' ')
end

def preprocessor_flags
  version = File.read(File.join(__dir__, '../../lib/multitenant/version.rb'))[/VERSION = '([^']+)'/, 1]
  own = ['-D_GNU_SOURCE', '-U_FORTIFY_SOURCE', '-D_FORTIFY_SOURCE=2', %(-DMT_VERSION='"#{version}"'),
         own_includes('$(srcdir)')]
  others = "#{$INCFLAGS} #{$CPPFLAGS}".scan(/-I\S+/).grep_v(/\$|\A-I\.\z/).map { |flag| "-isystem #{flag[2..]}" }
  [*own, *others, ENV.fetch('CPPFLAGS', nil)].compact.join(' ')
end

def makefile_variables
  sources = Dir.children(__dir__).grep(/\.c\z/).sort + CORE
  headers = Dir.children(__dir__).grep(/\.h\z/).sort + CORE_HEADERS.map { |name| "../multitenant/#{name}" }
  {
    'srcdir' => __dir__, 'VPATH' => '$(srcdir):$(srcdir)/../multitenant',
    'prefix' => RbConfig::MAKEFILE_CONFIG['prefix'], 'sitearchdir' => RbConfig::CONFIG['sitearchdir'],
    'CC' => RbConfig::CONFIG['CC'], 'CPPFLAGS' => preprocessor_flags, 'CFLAGS' => compiler_flags,
    'LDFLAGS' => linker_flags, 'LIBS' => $libs, 'PROGRAM' => PROGRAM,
    'OBJS' => sources.map { |name| name.sub(/c\z/, 'o') }.join(' '),
    'HEADERS' => headers.map { |name| "$(srcdir)/#{name}" }.join(' ')
  }
end

RULES = <<~MAKEFILE

  all: $(PROGRAM)

  $(PROGRAM): $(OBJS)
  	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJS) $(LIBS)

  $(OBJS): Makefile $(HEADERS)

  .c.o:
  	$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ -c $<

  install: all
  	mkdir -p "$(DESTDIR)$(sitearchdir)/multitenant"
  	install -m 0755 $(PROGRAM) "$(DESTDIR)$(sitearchdir)/multitenant/$(PROGRAM)"

  clean:
  	rm -f $(PROGRAM) $(OBJS)

  distclean: clean
  	rm -f Makefile mkmf.log

  .SUFFIXES: .c .o
  .PHONY: all install clean distclean
MAKEFILE

def write_makefile
  variables = makefile_variables.map { |name, value| "#{name} = #{value}\n" }.join
  File.write('Makefile', variables + RULES)
end

def write_empty_makefile
  File.write('Makefile', "all install clean distclean:\n.PHONY: all install clean distclean\n")
end

def say_what_is_missing(missing)
  missing.each { |what| warn "ood_multitenant: #{what}." }
  warn <<~TEXT
    ood_multitenant: #{PROGRAM}, which asks Slurm, is therefore not built; records of another host can still be read.
      Debian, Ubuntu: apt install libslurm-dev libjansson-dev
      EL:             dnf install slurm-devel jansson-devel
      elsewhere:      gem pristine ood_multitenant -- --with-slurm-dir=DIR --with-jansson-dir=DIR
      tried:          #{File.expand_path('mkmf.log')} (gem install moves it to the gem's extensions directory)
  TEXT
end

have_library('rt', 'timer_create') # a part of libc since glibc 2.34
missing = [slurm_missing, jansson_missing].compact
if missing.empty?
  write_makefile
  puts "creating Makefile for #{PROGRAM}"
else
  say_what_is_missing(missing)
  write_empty_makefile
end
