"""Posters on S3, or what speaks its protocol (MinIO)."""

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from services.events.errors import StorageAway
from services.events.settings import S3Settings
from services.events.storage import require_name

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_FAILURES = (BotoCoreError, ClientError, HTTPError)
_NO_OBJECT, _NO_BUCKET = ("NoSuchKey", "404"), ("NoSuchBucket",)
_MADE_BY_ANOTHER = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists", "OperationAborted")


class S3Storage:
    """One object for each poster. The bucket is made when it is not there."""

    def __init__(self, settings: S3Settings) -> None:
        self._bucket = settings.bucket
        self._region = settings.region
        self._client: S3Client = boto3.client(
            "s3",
            endpoint_url=settings.endpoint_url,
            aws_access_key_id=settings.access_key,
            aws_secret_access_key=settings.secret_key,
            region_name=settings.region,
            config=Config(
                connect_timeout=2,
                read_timeout=5,
                retries={"total_max_attempts": 2, "mode": "standard"},
                # MinIO serves buckets by path, and older ones know no trailing checksums:
                # https://docs.aws.amazon.com/sdkref/latest/guide/feature-dataintegrity.html
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def write(self, name: str, content: bytes, content_type: str) -> None:
        try:
            try:
                self._put(name, content, content_type)
            except ClientError as error:
                if _code(error) not in _NO_BUCKET:
                    raise
                self._make_bucket()
                self._put(name, content, content_type)
        except _FAILURES as error:
            raise _away() from error

    def read(self, name: str) -> bytes | None:
        try:
            return self._client.get_object(Bucket=self._bucket, Key=require_name(name))["Body"].read()
        except ClientError as error:
            if _code(error) in (*_NO_OBJECT, *_NO_BUCKET):
                return None
            raise _away() from error
        except _FAILURES as error:
            raise _away() from error

    def remove(self, name: str) -> None:
        try:
            self._client.delete_object(Bucket=self._bucket, Key=require_name(name))
        except ClientError as error:
            if _code(error) not in (*_NO_OBJECT, *_NO_BUCKET):
                raise _away() from error
        except _FAILURES as error:
            raise _away() from error

    def check(self) -> str | None:
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except ClientError as error:
            # A HEAD has no body that could say which; the bucket is made by the first poster.
            return None if _code(error) in (*_NO_BUCKET, "404") else str(error)
        except _FAILURES as error:
            return str(error)
        return None

    def _put(self, name: str, content: bytes, content_type: str) -> None:
        self._client.put_object(
            Bucket=self._bucket, Key=require_name(name), Body=content, ContentType=content_type
        )

    def _make_bucket(self) -> None:
        # us-east-1 is what no constraint means, and as a constraint it is refused.
        place: dict[str, Any] = {}
        if self._region != "us-east-1":
            place["CreateBucketConfiguration"] = {"LocationConstraint": self._region}
        try:
            self._client.create_bucket(Bucket=self._bucket, **place)
        except ClientError as error:
            if _code(error) not in _MADE_BY_ANOTHER:
                raise


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _away() -> StorageAway:
    return StorageAway("The storage of the posters cannot be reached now.")
