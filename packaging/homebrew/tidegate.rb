class Tidegate < Formula
  desc "Public API gateway, VPC links and internal load balancers that speak AWS's APIs"
  homepage "@FROM@"
  url "@FROM@/@ARCHIVE@"
  sha256 "@SHA256@"
  license "Apache-2.0"

  depends_on "rust" => :build
  depends_on :linux

  def install
    system "cargo", "install", *std_cargo_args(path: "crates/tidegate")
    generate_completions_from_executable(bin/"tidegate", "completion")
  end

  test do
    assert_match "SG_INGRESS_DENIED", shell_output("#{bin}/tidegate demo --once")
  end
end
