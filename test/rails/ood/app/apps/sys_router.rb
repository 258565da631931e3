# frozen_string_literal: true

# Where an app that the site installed is.
class SysRouter
  def self.base_path
    Configuration.sys_apps
  end

  attr_reader :name

  def initialize(name)
    @name = name.to_s
  end

  def token
    "sys/#{name}"
  end

  def path
    self.class.base_path.join(name)
  end
end
