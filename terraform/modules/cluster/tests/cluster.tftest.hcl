mock_provider "aws" {
  source = "../../testing/aws"
}

variables {
  name                     = "shop-dev"
  environment              = "dev"
  vpc_id                   = "vpc-0123456789abcdef0"
  node_subnet_ids          = ["subnet-a", "subnet-b", "subnet-c"]
  control_plane_subnet_ids = ["subnet-d", "subnet-e", "subnet-f"]
}

run "control_plane" {
  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access && !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "the API is private"
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.api) == 0
    error_message = "nobody but the nodes reaches the API unless a network is named"
  }
  assert {
    condition     = contains(aws_eks_cluster.this.enabled_cluster_log_types, "audit") && length(aws_eks_cluster.this.enabled_cluster_log_types) == 5
    error_message = "the control plane logs all it can, audit among it"
  }
  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].resources == toset(["secrets"]) && aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == aws_kms_key.this.arn
    error_message = "secrets are encrypted with the cluster's key"
  }
  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_cloudwatch_log_group.this.kms_key_id == aws_kms_key.this.arn && aws_cloudwatch_log_group.this.retention_in_days == 365
    error_message = "logs are encrypted with the cluster's key, which rotates, and kept for a year"
  }
  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "access entries alone say who is who"
  }
  assert {
    condition     = !aws_eks_cluster.this.deletion_protection
    error_message = "dev can be deleted"
  }
  assert {
    condition     = length(aws_eks_access_entry.this) == 0
    error_message = "nobody has access unless named"
  }
  assert {
    condition     = output.node_security_group_id == "sg-0123456789abcdef1" && output.certificate_authority == "Y2E="
    error_message = "outputs say what EKS made"
  }
}

run "prod" {
  variables {
    environment        = "prod"
    kubernetes_version = "1.34"
    api_allowed_cidrs  = ["10.8.0.0/16", "10.9.0.0/16"]
  }
  assert {
    condition     = aws_eks_cluster.this.deletion_protection && aws_eks_cluster.this.version == "1.34"
    error_message = "prod cannot be deleted by mistake, and has the version asked for"
  }
  assert {
    condition     = alltrue([for g in aws_eks_node_group.this : g.version == "1.34"])
    error_message = "nodes have the control plane's version"
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.api) == 2 && aws_vpc_security_group_ingress_rule.api["10.8.0.0/16"].from_port == 443
    error_message = "the networks named reach the API"
  }
  assert {
    condition     = length(aws_autoscaling_schedule.end) == 0 && length(aws_autoscaling_schedule.start) == 0 && !output.scaled_down_outside_working_hours
    error_message = "prod is never scaled down"
  }
}

run "working_hours_of_dev" {
  assert {
    condition     = keys(aws_autoscaling_schedule.end) == ["general", "ingress"] && alltrue([for s in aws_autoscaling_schedule.end : s.min_size == -1 && s.max_size == -1 && s.desired_capacity == 0 && s.recurrence == "0 20 * * MON-FRI"])
    error_message = "dev has no nodes in the night and on weekends"
  }
  assert {
    condition     = aws_autoscaling_schedule.start["general"].desired_capacity == 3 && aws_autoscaling_schedule.start["general"].min_size == -1 && aws_autoscaling_schedule.start["general"].max_size == -1 && aws_autoscaling_schedule.start["general"].recurrence == "0 7 * * MON-FRI"
    error_message = "dev has its nodes back in the morning"
  }
  assert {
    condition     = alltrue([for g in aws_eks_node_group.this : g.scaling_config[0].min_size == 0])
    error_message = "the schedule moves the desired size and nothing else, which is no drift: the least size is none already"
  }
  assert {
    condition     = aws_autoscaling_schedule.start["general"].autoscaling_group_name == "eks-mocked"
    error_message = "the schedule is that of the node group's autoscaling group"
  }
}

run "working_hours_off" {
  variables { scale_down = false }
  assert {
    condition     = length(aws_autoscaling_schedule.end) == 0 && !output.scaled_down_outside_working_hours
    error_message = "one input turns it off"
  }
}

run "staging_is_not_scaled_down" {
  variables { environment = "staging" }
  assert {
    condition     = length(aws_autoscaling_schedule.end) == 0
    error_message = "only dev is"
  }
}

run "nodes" {
  variables { scale_down = false }
  assert {
    condition     = aws_eks_node_group.this["general"].scaling_config[0].desired_size == 3 && aws_eks_node_group.this["general"].scaling_config[0].min_size == 2 && aws_eks_node_group.this["general"].scaling_config[0].max_size == 10 && aws_eks_node_group.this["general"].instance_types == tolist(["t3.medium"])
    error_message = "three t3.medium, from two to ten"
  }
  assert {
    condition     = length(aws_eks_node_group.this["general"].taint) == 0
    error_message = "general nodes take any pod"
  }
  assert {
    condition     = aws_eks_node_group.this["ingress"].scaling_config[0].min_size == 2 && one(aws_eks_node_group.this["ingress"].taint).key == "dedicated" && one(aws_eks_node_group.this["ingress"].taint).value == "ingress" && one(aws_eks_node_group.this["ingress"].taint).effect == "NO_SCHEDULE"
    error_message = "ingress nodes are at least two, and tainted"
  }
  assert {
    condition     = aws_eks_node_group.this["ingress"].labels["dedicated"] == "ingress"
    error_message = "ingress pods find their nodes by label"
  }
  assert {
    condition     = alltrue([for t in aws_launch_template.node : t.metadata_options[0].http_tokens == "required" && t.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "pods do not reach the node's credentials"
  }
  assert {
    condition     = alltrue([for t in aws_launch_template.node : t.block_device_mappings[0].ebs[0].encrypted == "true"])
    error_message = "disks are encrypted"
  }
  assert {
    condition     = keys(aws_iam_role_policy_attachment.node) == ["AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy", "AmazonSSMManagedInstanceCore"]
    error_message = "nodes join and pull, no more: the network's and the volumes' permissions are the add-ons'"
  }
}

run "addons" {
  assert {
    condition     = keys(aws_eks_addon.early) == ["eks-pod-identity-agent", "kube-proxy", "vpc-cni"] && keys(aws_eks_addon.late) == ["aws-ebs-csi-driver", "coredns", "metrics-server", "snapshot-controller"]
    error_message = "what nodes need comes before them"
  }
  assert {
    condition     = jsondecode(aws_eks_addon.early["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "network policies are enforced"
  }
  assert {
    condition     = one(aws_eks_addon.early["vpc-cni"].pod_identity_association).service_account == "aws-node" && one(aws_eks_addon.late["aws-ebs-csi-driver"].pod_identity_association).service_account == "ebs-csi-controller-sa" && length(aws_eks_addon.late["coredns"].pod_identity_association) == 0
    error_message = "add-ons that call AWS have their own roles"
  }
  assert {
    condition     = aws_iam_role_policy_attachment.addon["vpc-cni"].policy_arn == "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
    error_message = "with their own policies"
  }
}

run "access" {
  variables {
    admin_role_arns       = ["arn:aws:iam::111122223333:role/admin"]
    break_glass_role_arns = ["arn:aws:iam::111122223333:role/break-glass"]
    read_only_role_arns   = ["arn:aws:iam::111122223333:role/auditor"]
    developer_groups = {
      shop = { role_arn = "arn:aws:iam::111122223333:role/shop", namespaces = ["shop"] }
    }
  }
  assert {
    condition     = endswith(aws_eks_access_policy_association.this["arn:aws:iam::111122223333:role/admin"].policy_arn, "/AmazonEKSClusterAdminPolicy") && aws_eks_access_policy_association.this["arn:aws:iam::111122223333:role/admin"].access_scope[0].type == "cluster"
    error_message = "administrators may do everything"
  }
  assert {
    condition     = startswith(aws_eks_access_entry.this["arn:aws:iam::111122223333:role/break-glass"].user_name, "break-glass:") && endswith(aws_eks_access_policy_association.this["arn:aws:iam::111122223333:role/break-glass"].policy_arn, "/AmazonEKSClusterAdminPolicy")
    error_message = "emergencies have a name of their own in the audit log"
  }
  assert {
    condition     = endswith(aws_eks_access_policy_association.this["arn:aws:iam::111122223333:role/auditor"].policy_arn, "/AmazonEKSViewPolicy")
    error_message = "who reads sees no secrets"
  }
  assert {
    condition     = endswith(aws_eks_access_policy_association.this["arn:aws:iam::111122223333:role/shop"].policy_arn, "/AmazonEKSEditPolicy") && aws_eks_access_policy_association.this["arn:aws:iam::111122223333:role/shop"].access_scope[0].type == "namespace" && aws_eks_access_policy_association.this["arn:aws:iam::111122223333:role/shop"].access_scope[0].namespaces == toset(["shop"])
    error_message = "developers edit in their namespaces of dev"
  }
  assert {
    condition     = contains(aws_eks_access_entry.this["arn:aws:iam::111122223333:role/shop"].kubernetes_groups, "waybill:shop")
    error_message = "the group is known to the repository's RBAC"
  }
}

run "developers_of_prod" {
  variables {
    environment = "prod"
    developer_groups = {
      shop = { role_arn = "arn:aws:iam::111122223333:role/shop", namespaces = ["shop"] }
      ops  = { role_arn = "arn:aws:iam::111122223333:role/ops", namespaces = ["ops"], edit = true }
    }
  }
  assert {
    condition     = endswith(aws_eks_access_policy_association.this["arn:aws:iam::111122223333:role/shop"].policy_arn, "/AmazonEKSViewPolicy")
    error_message = "developers view in prod"
  }
  assert {
    condition     = endswith(aws_eks_access_policy_association.this["arn:aws:iam::111122223333:role/ops"].policy_arn, "/AmazonEKSEditPolicy")
    error_message = "unless it is said otherwise"
  }
}

run "default_components" {
  assert {
    condition     = keys(aws_eks_pod_identity_association.component) == ["aws-load-balancer-controller", "karpenter"]
    error_message = "only the components named have roles"
  }
  assert {
    condition     = jsondecode(aws_iam_role.component["karpenter"].assume_role_policy).Statement[0].Principal.Service == "pods.eks.amazonaws.com" && jsondecode(aws_iam_role.component["karpenter"].assume_role_policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] == "arn:aws:eks:eu-west-1:111122223333:cluster/shop-dev"
    error_message = "roles are for pods of this cluster alone"
  }
  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.component["karpenter"].policy).Statement : s.Resource if s.Sid == "NodeRole"]) == [aws_iam_role.karpenter_node["karpenter"].arn]
    error_message = "Karpenter hands over the role of its nodes and no other"
  }
  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_role_policy.component["karpenter"].policy).Statement : try(s.Condition.StringEquals["aws:ResourceTag/kubernetes.io/cluster/shop-dev"] == "owned", false) if s.Sid == "End"])
    error_message = "Karpenter ends its own machines alone"
  }
  assert {
    condition     = keys(aws_cloudwatch_event_rule.karpenter) == ["health", "instancestate", "rebalance", "spot"] && aws_cloudwatch_event_target.karpenter["spot"].arn == aws_sqs_queue.karpenter["karpenter"].arn
    error_message = "Karpenter learns of interruptions"
  }
  assert {
    condition     = aws_sqs_queue.karpenter["karpenter"].sqs_managed_sse_enabled && jsondecode(aws_sqs_queue_policy.karpenter["karpenter"].policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "111122223333"
    error_message = "the queue is encrypted and takes this account's events"
  }
  assert {
    condition     = aws_eks_access_entry.karpenter_node["karpenter"].type == "EC2_LINUX"
    error_message = "Karpenter's nodes may join"
  }
}

run "components_share_no_key_they_were_not_given" {
  variables {
    components          = ["loki"]
    component_resources = { loki_bucket_arn = "arn:aws:s3:::loki" }
  }
  assert {
    condition     = length(jsondecode(aws_iam_role_policy.component["loki"].policy).Statement) == 2
    error_message = "without keys there is no statement of keys"
  }
}

run "components" {
  variables {
    components = ["cert-manager", "external-dns", "external-secrets", "loki", "tempo", "velero"]
    component_resources = {
      dns_zone_arns     = ["arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ"]
      private_zone_arns = ["arn:aws:route53:::hostedzone/Z0123456789PRIVATE"]
      secret_arns       = ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop-dev/*"]
      velero_bucket_arn = "arn:aws:s3:::velero"
      loki_bucket_arn   = "arn:aws:s3:::loki"
      tempo_bucket_arn  = "arn:aws:s3:::tempo"
      kms_key_arns      = ["arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"]
    }
  }
  assert {
    condition     = keys(output.component_role_arns) == ["cert-manager", "external-dns", "external-secrets", "loki", "tempo", "velero"]
    error_message = "each component named has a role"
  }
  assert {
    condition     = length(aws_sqs_queue.karpenter) == 0 && length(aws_cloudwatch_event_rule.karpenter) == 0 && length(aws_iam_role.karpenter_node) == 0 && length(aws_iam_role_policy_attachment.karpenter_node) == 0 && output.karpenter == null
    error_message = "without Karpenter nothing of it is made"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.component["cert-manager"].policy).Statement[0].Condition["ForAllValues:StringLike"]["route53:ChangeResourceRecordSetsNormalizedRecordNames"] == ["_acme-challenge.*"]
    error_message = "cert-manager writes challenges alone"
  }
  assert {
    condition     = toset(flatten([for s in jsondecode(aws_iam_role_policy.component["external-dns"].policy).Statement : s.Resource if s.Action != ["route53:ListHostedZones"]])) == toset(["arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ", "arn:aws:route53:::hostedzone/Z0123456789PRIVATE"])
    error_message = "external-dns reads and writes its zones, the public and the private one, and no other"
  }
  assert {
    condition     = toset(flatten([for s in jsondecode(aws_iam_role_policy.component["external-dns"].policy).Statement : s.Action])) == toset(["route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets", "route53:ListHostedZones"])
    error_message = "external-dns does nothing else"
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.component["cert-manager"].policy, "PRIVATE")
    error_message = "cert-manager has nothing to do in a private zone"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.component["external-secrets"].policy).Statement[0].Resource == ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop-dev/*"] && jsondecode(aws_iam_role_policy.component["external-secrets"].policy).Statement[1].Action == ["kms:Decrypt", "kms:GenerateDataKey"]
    error_message = "External Secrets reads the secrets named"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.component["loki"].policy).Statement[1].Resource == ["arn:aws:s3:::loki/*"] && jsondecode(aws_iam_role_policy.component["tempo"].policy).Statement[1].Resource == ["arn:aws:s3:::tempo/*"]
    error_message = "Loki and Tempo have a bucket each"
  }
  assert {
    condition     = aws_eks_pod_identity_association.component["velero"].namespace == "velero" && aws_eks_pod_identity_association.component["velero"].service_account == "velero"
    error_message = "the role is that of the service account"
  }
}

run "a_private_zone_alone" {
  variables {
    components          = ["external-dns"]
    component_resources = { private_zone_arns = ["arn:aws:route53:::hostedzone/Z0123456789PRIVATE"] }
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.component["external-dns"].policy).Statement[0].Resource == ["arn:aws:route53:::hostedzone/Z0123456789PRIVATE"]
    error_message = "external-dns works without a public domain"
  }
}

run "versions_follow" {
  assert {
    condition     = alltrue([for g in aws_eks_node_group.this : g.release_version == "1.34.1-20251120"]) && data.aws_ssm_parameter.release["x86_64"].name == "/aws/service/eks/optimized-ami/1.34/amazon-linux-2023/x86_64/standard/recommended/release_version"
    error_message = "nodes follow the newest image of their version"
  }
  assert {
    condition     = alltrue([for a in merge(aws_eks_addon.early, aws_eks_addon.late) : a.addon_version == "v1.20.4-eksbuild.2"]) && data.aws_eks_addon_version.this["coredns"].kubernetes_version == "1.34"
    error_message = "add-ons follow the control plane"
  }
  assert {
    condition     = aws_eks_cluster.this.upgrade_policy[0].support_type == "STANDARD"
    error_message = "AWS upgrades when standard support ends, unless asked otherwise"
  }
}

run "versions_that_are_fixed" {
  variables {
    support_type  = "EXTENDED"
    ingress_nodes = { release_version = "1.34.0-20251001" }
    node_groups   = { general = { release_version = "1.34.0-20251002" } }
    addons = {
      vpc-cni                = { version = "v1.19.0-eksbuild.1" }
      kube-proxy             = {}
      eks-pod-identity-agent = {}
      coredns                = {}
    }
  }
  assert {
    condition     = aws_eks_node_group.this["general"].release_version == "1.34.0-20251002" && aws_eks_node_group.this["ingress"].release_version == "1.34.0-20251001" && length(data.aws_ssm_parameter.release) == 0
    error_message = "nodes have the image that was named"
  }
  assert {
    condition     = aws_eks_addon.early["vpc-cni"].addon_version == "v1.19.0-eksbuild.1" && aws_eks_addon.late["coredns"].addon_version == "v1.20.4-eksbuild.2"
    error_message = "an add-on has the version that was named"
  }
  assert {
    condition     = aws_eks_cluster.this.upgrade_policy[0].support_type == "EXTENDED"
    error_message = "the version stays as long as it is supported"
  }
}

run "graviton" {
  variables {
    node_groups   = { general = { instance_types = ["t4g.medium", "m7gd.large", "is4gen.large"] }, graphics = { instance_types = ["g4dn.xlarge", "p5en.48xlarge"] } }
    ingress_nodes = { instance_types = ["c7gn.large"] }
  }
  assert {
    condition     = { for name, g in aws_eks_node_group.this : name => g.ami_type } == { general = "AL2023_ARM_64_STANDARD", graphics = "AL2023_x86_64_STANDARD", ingress = "AL2023_ARM_64_STANDARD" }
    error_message = "the instance types decide the architecture of the image"
  }
  assert {
    condition     = keys(data.aws_ssm_parameter.release) == ["arm64", "x86_64"]
    error_message = "each architecture has its newest image"
  }
}

run "groups_are_replaced_before_they_go" {
  assert {
    condition     = aws_eks_node_group.this["general"].node_group_name_prefix == "general-" && aws_eks_node_group.this["ingress"].node_group_name_prefix == "ingress-"
    error_message = "a new group can be there beside the one that it replaces"
  }
}

run "images_through_the_cache" {
  variables {
    pull_through_prefixes = ["quay", "k8s"]
    components            = ["karpenter", "kyverno"]
  }
  assert {
    condition = keys(aws_iam_role_policy.pull_through) == ["karpenter", "managed"] && alltrue([for p in aws_iam_role_policy.pull_through :
      jsondecode(p.policy).Statement[0].Action == ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"] &&
    jsondecode(p.policy).Statement[0].Resource == ["arn:aws:ecr:eu-west-1:111122223333:repository/k8s/*", "arn:aws:ecr:eu-west-1:111122223333:repository/quay/*"]])
    error_message = "the nodes of both kinds make repositories of the cache by pulling, and no others"
  }
  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_role_policy.component["kyverno"].policy).Statement : alltrue([for a in s.Action : can(regex("^ecr:(BatchCheck|BatchGet|Describe|Get|List)", a))])])
    error_message = "Kyverno reads images and writes none"
  }
  assert {
    condition     = aws_eks_pod_identity_association.component["kyverno"].namespace == "kyverno"
    error_message = "Kyverno has its role by Pod Identity"
  }
}

run "no_cache" {
  assert {
    condition     = length(aws_iam_role_policy.pull_through) == 0
    error_message = "nodes make no repositories where nothing is cached"
  }
}

run "not_ahead" {
  variables {
    kubernetes_version = "1.34"
    upgrades_after     = "acme-before"
  }
  assert {
    condition     = aws_eks_cluster.this.version == "1.34" && data.aws_eks_cluster.before["acme-before"].version == "1.34"
    error_message = "a version that the cluster before runs is taken"
  }
}

run "ahead_for_a_reason" {
  variables {
    kubernetes_version = "1.35"
    upgrades_after     = "acme-before"
    ahead_because      = "dev is being rebuilt"
  }
  assert {
    condition     = aws_eks_cluster.this.version == "1.35"
    error_message = "a waiver with a reason lets it be ahead"
  }
}
