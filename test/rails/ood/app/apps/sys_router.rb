# frozen_string_literal: true

# Where an app that the site installed is.
class SysRouter
  attr_reader :name

  def initialize(name)
    @name = name.to_s
  end

  def token
    "sys/#{name}"
  end

  def path
    Configuration.sys_apps.join(name)
  end
end
