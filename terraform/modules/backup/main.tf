data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  copies = var.copy_region == null ? 0 : 1
}

resource "aws_kms_key" "this" {
  description             = "Backups of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags
}

# The copy has its own key in its own region: it can be read when this region
# and its keys cannot.
resource "aws_kms_key" "copy" {
  count                   = local.copies
  region                  = var.copy_region
  description             = "Copy of the backups of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags
}

module "backup" {
  source          = "../bucket"
  name            = "${var.name}-backup"
  kms_key_arn     = aws_kms_key.this.arn
  object_lock     = var.lock
  noncurrent_days = var.retention_days
  access_log      = var.access_log
  tags            = var.tags
}

module "copy" {
  count           = local.copies
  source          = "../bucket"
  name            = "${var.name}-backup-copy"
  region          = var.copy_region
  kms_key_arn     = aws_kms_key.copy[0].arn
  object_lock     = var.lock
  noncurrent_days = var.retention_days
  tags            = var.tags
}

resource "aws_iam_role" "copy" {
  count                = local.copies
  permissions_boundary = var.permissions_boundary_arn
  name_prefix          = "${substr(var.name, 0, 24)}-copy-"
  description          = "Copies the backups of ${var.name} to ${var.copy_region}"
  tags                 = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "copy" {
  count = local.copies
  name  = "copy"
  role  = aws_iam_role.copy[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Look", Effect = "Allow", Action = ["s3:GetReplicationConfiguration", "s3:ListBucket"], Resource = [module.backup.arn] },
      { Sid = "Read", Effect = "Allow", Action = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging", "s3:GetObjectRetention", "s3:GetObjectLegalHold"], Resource = ["${module.backup.arn}/*"] },
      { Sid = "Write", Effect = "Allow", Action = ["s3:ReplicateObject", "s3:ReplicateTags"], Resource = ["${module.copy[0].arn}/*"] },
      { Sid = "Decrypt", Effect = "Allow", Action = ["kms:Decrypt"], Resource = [aws_kms_key.this.arn] },
      { Sid = "Encrypt", Effect = "Allow", Action = ["kms:Encrypt", "kms:GenerateDataKey"], Resource = [aws_kms_key.copy[0].arn] },
    ]
  })
}

# Deletions are not copied: the copy outlives them.
resource "aws_s3_bucket_replication_configuration" "this" {
  count  = local.copies
  bucket = module.backup.id
  role   = aws_iam_role.copy[0].arn

  rule {
    id     = "everything"
    status = "Enabled"
    filter {}
    delete_marker_replication {
      status = "Disabled"
    }
    source_selection_criteria {
      sse_kms_encrypted_objects {
        status = "Enabled"
      }
    }
    destination {
      bucket        = module.copy[0].arn
      storage_class = "STANDARD_IA"
      encryption_configuration {
        replica_kms_key_id = aws_kms_key.copy[0].arn
      }
    }
  }

  lifecycle {
    precondition {
      condition     = var.copy_region != data.aws_region.current.region
      error_message = "copy_region must be another region than the one of the backups: the copy is for the loss of a region."
    }
  }

  # Copying begins when both keep versions.
  depends_on = [module.backup, module.copy]
}
