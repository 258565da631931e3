# frozen_string_literal: true

require_relative 'helper'

# What the core tells a proxy of jobs whose label asks for an address, and tenants where the site has one.
class TestAddresses < MultiTenantTest
  include Records
  include Sealing

  LABEL = 'sys/dashboard mt:spanish-301:openai:11434'

  def addresses(*jobs, settings: {}, **header)
    core = MultiTenant::Core.new(MultiTenant::Settings.new(settings).to_core(dataroot: nil))
    core.addresses(MultiTenant::Records.new(stream(*jobs, **header)))
  end

  # @return [Hash] a job whose name has that label
  def labelled(job_id, label = LABEL, **record)
    plain = job(job_id, **record)
    plain.merge(name: plain[:name].sub(/\A[^|]*/) { label })
  end

  def reasons(...)
    addresses(...).map(&:reason)
  end

  def test_a_proxy_is_told_what_slurm_says_and_what_the_label_asks_for
    told = addresses(labelled(1, end: 1_700_009_999)).first.to_h
    assert_equal({ cluster: 'hpc', job_id: 1, user: 'prof', uid: 1001, gid: 3000, start: 1_700_000_001,
                   end: 1_700_009_999, node: '10.0.0.1', path: 'prof/spanish-301@students', service: 'spanish-301',
                   kind: 'openai', check: '', open: false, port: 11_434, reason: 'ok' }, told)
  end

  def test_names_can_not_leave_their_part_of_the_path
    told = addresses(labelled(1, user: 'DOM\\a/../b'), { **labelled(2), name: "#{LABEL}|x@y/%2f..|AAAA" })
    assert_equal ['DOM%5Ca%2F..%2Fb/spanish-301@students', 'prof/spanish-301@x%40y%2F%252f..'], told.map(&:path)
  end

  def test_only_who_may_publish_in_the_group_gets_an_address
    assert_equal %w[publisher_not_member publisher_not_member lookup_failed lookup_failed lookup_failed out_of_time],
                 reasons(labelled(1, publisher_in_group: false), labelled(2, group_gid: -1),
                         labelled(3, group_gid: nil), labelled(4, publisher_in_group: nil), labelled(5, user: ''),
                         labelled(6, publisher_in_group: nil, out_of_time: true))
    assert_equal %w[ok], reasons(labelled(1, publisher_in_group: false),
                                 settings: { 'MULTITENANT_PUBLISHER_IN_GROUP' => 'false' })
    staff = { 'MULTITENANT_PUBLISHERS' => 'staff' }
    assert_equal %w[publisher_not_allowed ok lookup_failed],
                 reasons(labelled(1, publisher_allowed: false), labelled(2, publisher_allowed: true), labelled(3),
                         settings: staff, publishers: 'staff')
    assert_equal %w[lookup_failed], reasons(labelled(1, publisher_allowed: true), settings: staff, publishers: 'others')
  end

  def test_a_job_that_shares_nothing_or_asks_for_nothing_has_none
    assert_equal %w[malformed_name no_address bad_address port_not_allowed name_too_long],
                 reasons({ **job(1), name: LABEL }, job(2), labelled(3, 'mt:../..:web:8080'),
                         labelled(4, 'mt:a:web:2049'), { **job(5), name: "#{LABEL}|g|#{'a' * 1024}" })
    assert_empty addresses(labelled(1), whole: false)
  end

  # ---- MultiTenant.specs ----

  SITE = { 'MULTITENANT_ADDRESS' => 'https://services.example.edu/{user}/{service}@{group}/' }.freeze

  def told_to_tenants(*jobs, settings: SITE)
    settings = MultiTenant::Settings.new(settings).to_core(dataroot: nil).merge(uid: 2001, gids: [3000])
    core = MultiTenant::Core.new(settings)
    core.read([MultiTenant::Records.new(stream(*jobs))])
    core.decide([], '', 0)
    core.specs.transform_values { |spec| spec['info']['address'] }
  end

  def test_tenants_are_told_the_address_where_the_site_has_one
    jobs = [labelled(1), job(2), labelled(3, 'mt:a:open-web:8080'), labelled(4, 'mt:a:web:22')]
    assert_equal({ '1' => 'https://services.example.edu/prof/spanish-301@students/', '2' => '', '3' => '', '4' => '' },
                 told_to_tenants(*jobs))
    assert_equal({ '1' => nil }, told_to_tenants(labelled(1), settings: {}))
  end
end
