# frozen_string_literal: true

# Builds the core: libcrypto, zlib and jansson are needed. Options: --with-openssl-dir=DIR,
# --with-zlib-dir=DIR, --with-jansson-dir=DIR. MT_WERROR=1 makes warnings errors (development).
require 'mkmf'

# What is needed: header, library, a function of it, packages on Debian/Ubuntu and EL.
NEEDED = {
  'openssl' => ['openssl/evp.h', 'crypto', 'EVP_DecryptFinal_ex', 'libssl-dev', 'openssl-devel'],
  'zlib' => ['zlib.h', 'z', 'inflate', 'zlib1g-dev', 'zlib-devel'],
  'jansson' => ['jansson.h', 'jansson', 'json_loadb', 'libjansson-dev', 'jansson-devel']
}.freeze

missing = NEEDED.reject do |name, (header, library, function)|
  dir_config(name)
  have_header(header) && have_library(library, function, header)
end
unless missing.empty?
  missing.each do |name, (_, library, _, deb, rpm)|
    warn "ood_multitenant: lib#{library} is missing: install #{deb} (Debian, Ubuntu) or #{rpm} " \
         "(EL), or say --with-#{name}-dir=DIR."
  end
  abort "ood_multitenant: see #{File.expand_path('mkmf.log')} for what was tried."
end

RECENT = <<~C
  #include <jansson.h>
  #if JANSSON_VERSION_HEX < 0x020b00
  #error old
  #endif
  int main(void) { return 0; }
C
unless checking_for('jansson 2.11 or newer') { try_compile(RECENT) }
  abort 'ood_multitenant: jansson is older than 2.11; install a newer one.'
end

$CFLAGS << ' -std=gnu11 -fvisibility=hidden'
$CPPFLAGS << ' -D_GNU_SOURCE'
$warnflags = '-Wall -Wextra'
$CFLAGS << ' -Wshadow -Wformat=2 -Werror' if ENV['MT_WERROR'] == '1'

create_makefile 'multitenant/multitenant'
# lib looks for it beside itself. RubyGems of EL, and any from 4.1 on, has it in a directory of its own alone.
File.write('Makefile', <<~MAKEFILE, mode: 'a')

  install: beside-lib

  beside-lib: $(DLLIB)
  	$(INSTALL_PROG) $(DLLIB) "$(srcdir)/../../lib/multitenant/$(DLLIB)"

  .PHONY: beside-lib
MAKEFILE
