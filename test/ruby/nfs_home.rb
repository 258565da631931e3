# frozen_string_literal: true

# A home that another host writes in, too, by an NFS with its usual options.
module NfsHome
  # @param files [String] as fnmatch(3) takes it: which paths a process is told late of
  # @return [Hash] what a process is to have in its environment
  def nfs(files)
    path = File.join(temporary, 'nfs_home.so')
    assert system('gcc', '-shared', '-fPIC', '-D_GNU_SOURCE', '-o', path, File.join(__dir__, 'nfs_home.c'), '-ldl')
    File.chmod(0o755, path)
    { 'LD_PRELOAD' => path, 'NFS_FILES' => files }
  end
end
