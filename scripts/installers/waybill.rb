# Homebrew formula of Waybill @VERSION@, written by scripts/installers.sh.
class Waybill < Formula
  desc "Carry container images by digest, with their evidence, to production"
  homepage "https://github.com/waybill-dev/waybill"
  version "@VERSION@"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "https://github.com/waybill-dev/waybill/releases/download/v@VERSION@/waybill_@VERSION@_darwin_arm64.tar.gz"
      sha256 "@SUM waybill darwin_arm64@"
      resource("scan") do
        url "https://github.com/waybill-dev/waybill/releases/download/v@VERSION@/waybill-scan_@VERSION@_darwin_arm64.tar.gz"
        sha256 "@SUM waybill-scan darwin_arm64@"
      end
    end
    on_intel do
      url "https://github.com/waybill-dev/waybill/releases/download/v@VERSION@/waybill_@VERSION@_darwin_amd64.tar.gz"
      sha256 "@SUM waybill darwin_amd64@"
      resource("scan") do
        url "https://github.com/waybill-dev/waybill/releases/download/v@VERSION@/waybill-scan_@VERSION@_darwin_amd64.tar.gz"
        sha256 "@SUM waybill-scan darwin_amd64@"
      end
    end
  end
  on_linux do
    on_arm do
      url "https://github.com/waybill-dev/waybill/releases/download/v@VERSION@/waybill_@VERSION@_linux_arm64.tar.gz"
      sha256 "@SUM waybill linux_arm64@"
      resource("scan") do
        url "https://github.com/waybill-dev/waybill/releases/download/v@VERSION@/waybill-scan_@VERSION@_linux_arm64.tar.gz"
        sha256 "@SUM waybill-scan linux_arm64@"
      end
    end
    on_intel do
      url "https://github.com/waybill-dev/waybill/releases/download/v@VERSION@/waybill_@VERSION@_linux_amd64.tar.gz"
      sha256 "@SUM waybill linux_amd64@"
      resource("scan") do
        url "https://github.com/waybill-dev/waybill/releases/download/v@VERSION@/waybill-scan_@VERSION@_linux_amd64.tar.gz"
        sha256 "@SUM waybill-scan linux_amd64@"
      end
    end
  end

  def install
    bin.install "waybill"
    resource("scan").stage { bin.install "waybill-scan" }
    generate_completions_from_executable(bin/"waybill", "completion")
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/waybill version")
  end
end
