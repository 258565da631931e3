# frozen_string_literal: true

require_relative 'lib/multitenant/version'

# The file is named after the project; the gem is not, because RubyGems has another `multitenant`.
Gem::Specification.new do |spec|
  spec.name = 'ood_multitenant'
  spec.version = MultiTenant::VERSION
  spec.summary = 'Services that run as Slurm jobs, shared through Open OnDemand'
  spec.description = 'Finds the services that Slurm jobs share with a POSIX group, opens what their names carry and ' \
                     'gives the members a card and a choice in forms of their Open OnDemand dashboard.'
  spec.authors = ['The MultiTenant maintainers']
  spec.licenses = ['MIT', 'GPL-2.0-or-later'] # the latter for ext/multitenant_query alone
  spec.required_ruby_version = '>= 3.0'
  spec.files = Dir['{ext,lib}/**/*.{c,h,js,rb,yml}', 'ext/*/COPYING', 'exe/*', 'initializer/*.{py,rb}', 'libexec/*',
                   'systemd/*', 'doc/**/*', 'apps-{services,delivery,clients}/**/*',
                   'README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'SECURITY.md', base: __dir__]
               .select { |path| File.file?(File.join(__dir__, path)) }
  spec.bindir = 'exe'
  spec.executables = %w[multitenant multitenant-agent]
  spec.extensions = ['', '_gate', '_munge', '_names', '_query', '_seal'].map do |part|
    "ext/multitenant#{part}/extconf.rb"
  end
  spec.metadata['rubygems_mfa_required'] = 'true'
end
