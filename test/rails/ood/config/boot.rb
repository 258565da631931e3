# frozen_string_literal: true

ENV['BUNDLE_GEMFILE'] ||= File.expand_path('../Gemfile', __dir__)
require 'bundler/setup'
require 'logger'
require_relative 'configuration_singleton'

Configuration = ConfigurationSingleton.new
ENV['OOD_DATAROOT'] = Configuration.dataroot.to_s
